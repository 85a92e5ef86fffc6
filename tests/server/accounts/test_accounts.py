"""Who sees what, and what is kept of a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from flask_performance.server.accounts import names, projects, teams, tokens, users
from flask_performance.server.accounts.models import Member, Role, Token, User, db

from .support import PASSWORD


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def ada() -> User:
    return users.create_user("ada@example.org", PASSWORD)


@pytest.fixture
def bob(ada: User) -> User:
    return users.create_user("bob@example.org", PASSWORD)


def test_an_address_has_one_account_however_it_is_written(ada: User) -> None:
    """Two who come at once both find it free; the table has the last word."""
    other = User(email="Ada@Example.Org", active=True, fs_uniquifier="x")
    db.session.add(other)
    with pytest.raises(IntegrityError):
        db.session.commit()


def test_only_members_see_a_project(ada: User, bob: User) -> None:
    shop = projects.create_project(teams.create_team(ada, "Shops"), "Shop")
    assert projects.project_for(ada, shop.public_id) is shop
    assert projects.projects_of(ada) == [shop]
    assert projects.project_for(bob, shop.public_id) is None
    assert projects.projects_of(bob) == []
    assert teams.team_for(bob, shop.team.public_id) is None
    assert teams.role_in(bob, shop.team) is None

    db.session.add(Member(team=shop.team, user=bob, role=Role.VIEWER))
    db.session.commit()
    assert projects.project_for(bob, shop.public_id) is shop
    assert teams.role_in(bob, shop.team) is Role.VIEWER


def test_projects_come_by_team_and_name(ada: User) -> None:
    zoo, apes = teams.create_team(ada, "Zoo"), teams.create_team(ada, "Apes")
    for team, name in ((zoo, "b"), (zoo, "a"), (apes, "c")):
        projects.create_project(team, name)
    found = [(p.team.name, p.name) for p in projects.projects_of(ada)]
    assert found == [("Apes", "c"), ("Zoo", "a"), ("Zoo", "b")]


def test_the_default_team_is_made_on_first_use(ada: User, bob: User) -> None:
    assert teams.teams_of(ada) == []
    team = teams.default_team(ada)
    assert (team.name, teams.role_in(ada, team)) == ("Personal", Role.OWNER)
    assert teams.default_team(ada) is team
    assert teams.default_team(bob) is not team


def test_the_default_team_is_never_one_that_the_user_only_views(ada: User, bob: User) -> None:
    team = teams.create_team(ada, "Shops")
    db.session.add(Member(team=team, user=bob, role=Role.VIEWER))
    db.session.commit()
    assert teams.default_team(bob).name == "Personal"


def test_ids_and_keys_cannot_be_guessed(ada: User) -> None:
    team = teams.default_team(ada)
    made = [projects.create_project(team, f"app {n}") for n in range(3)]
    assert all(len(p.public_id) == 16 and int(p.public_id, 16) for p in made)
    keys = {p.key for p in made}
    assert len(keys) == 3
    assert all(key is not None and len(key) == 32 and int(key, 16) for key in keys)


def test_the_id_of_a_deleted_project_is_not_used_again(ada: User) -> None:
    team = teams.default_team(ada)
    gone = projects.create_project(team, "gone")
    old = gone.id
    assert projects.greatest_id() == old
    db.session.delete(gone)
    db.session.commit()
    assert projects.greatest_id() == old, "it was given, and is not given again"
    assert projects.create_project(team, "gone").id > old


def test_without_a_project_no_id_was_given() -> None:
    assert projects.greatest_id() == 0


@pytest.mark.parametrize(
    ("name", "kept"), [("  Shop \n", "Shop"), ("a  b", "a b"), ("x" * 80, "x" * 80), ("店", "店")]
)
def test_names_are_trimmed(ada: User, name: str, kept: str) -> None:
    assert projects.create_project(teams.default_team(ada), name).name == kept


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b", "a\u202eb"])
def test_bad_names_are_refused(ada: User, name: str) -> None:
    with pytest.raises(names.RefusedError, match="A name "):
        projects.create_project(teams.default_team(ada), name)
    with pytest.raises(names.RefusedError, match="A name "):
        teams.create_team(ada, name)


def test_names_are_unique_in_their_team_alone(ada: User, bob: User) -> None:
    projects.create_project(teams.create_team(ada, "One"), "Shop")
    with pytest.raises(names.RefusedError, match="already has a project named 'Shop'"):
        projects.create_project(teams.teams_of(ada)[0], " Shop ")
    projects.create_project(teams.create_team(ada, "Two"), "Shop")
    with pytest.raises(names.RefusedError, match="already have a team named 'One'"):
        teams.create_team(ada, "One")
    teams.create_team(bob, "One")


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [
        ("ADA@example.org", PASSWORD, "already has an account"),
        ("ada", PASSWORD, "'ada' is not an email address"),
        ("bob@example.org", "short", "at least 8 characters"),
    ],
)
def test_users_that_cannot_be(ada: User, email: str, password: str, words: str) -> None:
    with pytest.raises(names.RefusedError, match=words):
        users.create_user(email, password)


@pytest.mark.embedded
def test_no_secret_is_in_the_file(ada: User, data: Path) -> None:
    secret = tokens.create_token(ada, "laptop")
    db.session.remove()
    stored = b"".join(path.read_bytes() for path in data.glob("accounts.sqlite3*"))
    assert b"ada@example.org" in stored
    for hidden in (secret, secret.removeprefix("fp_"), PASSWORD):
        assert hidden.encode() not in stored
    assert b"$argon2id$" in stored


class TestTeamsMadeBeforeAnybodySignedUp:
    @pytest.fixture
    def orphan(self) -> str:
        return projects.create_project(teams.create_team(None, "Default"), "Shop").public_id

    def test_belong_to_the_first_user(self, orphan: str, ada: User, bob: User) -> None:
        project = projects.project_for(ada, orphan)
        assert project is not None
        assert teams.role_in(ada, project.team) is Role.OWNER
        assert projects.projects_of(bob) == []


def test_deleting_a_user_deletes_tokens_and_memberships_but_no_project(ada: User) -> None:
    tokens.create_token(ada, "laptop")
    project = projects.create_project(teams.default_team(ada), "Shop")
    db.session.delete(ada)
    db.session.commit()
    assert db.session.query(Token).count() == 0
    assert db.session.query(Member).count() == 0
    assert project.key is not None
