"""Teams and their people: who may change whom, and that a team always has an owner."""

import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from flask_performance.server.accounts import members, names, projects, teams, users
from flask_performance.server.accounts.members import NotAllowedError
from flask_performance.server.accounts.models import (
    AuditEntry,
    Invitation,
    Key,
    Member,
    Project,
    Role,
    Team,
    User,
    db,
)
from flask_performance.server.accounts.orm import changes
from flask_performance.server.accounts.permissions import POWER, Action

from .support import make_user

OWNER, ADMIN, MEMBER, VIEWER = Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def ada() -> User:
    return make_user("ada@example.org")


@pytest.fixture
def shops(ada: User) -> Team:
    return teams.create_team(ada, "Shops")


def join(team: Team, role: Role, email: str = "") -> User:
    """A new account in the team."""
    user = make_user(email or f"{role}@example.org")
    db.session.add(Member(team=team, user=user, role=role))
    db.session.commit()
    return user


def roles(team: Team) -> dict[str, str]:
    return {one.user.email.partition("@")[0]: one.role for one in members.members_of(team)}


def log(team: Team) -> list[tuple[str, str]]:
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.team_id == team.id))
    return [(entry.action, entry.target) for entry in entries]


def test_people_come_by_power_and_address(shops: Team) -> None:
    for name in ("zoe", "bob"):
        join(shops, MEMBER, f"{name}@example.org")
    join(shops, VIEWER, "abe@example.org")
    assert list(roles(shops)) == ["ada", "bob", "zoe", "abe"]


def test_the_list_of_teams_knows_their_sizes(ada: User, shops: Team) -> None:
    join(shops, MEMBER)
    for name in ("a", "b"):
        projects.create_project(shops, name)
    teams.personal_team(ada)
    rows = [(row.team.name, row.role, row.people, row.projects) for row in teams.rows_of(ada)]
    assert rows == [("Personal", OWNER, 1, 0), ("Shops", OWNER, 2, 2)]


def test_teams_where_a_role_is_enough(ada: User, shops: Team) -> None:
    viewer = join(shops, VIEWER)
    own = teams.create_team(viewer, "Own")
    assert teams.teams_where(viewer, Action.SEE_DATA) == [own, shops]
    assert teams.teams_where(viewer, Action.CREATE_PROJECT) == [own]
    assert teams.teams_where(ada, Action.DELETE_TEAM) == [shops]


def test_every_change_of_the_people_is_known_to_who_watches(ada: User, shops: Team) -> None:
    join(shops, VIEWER, "bob@example.org")
    before = changes()
    assert teams.role_in(ada, shops) is OWNER
    assert changes() == before, "reading is no change"
    members.remove(ada, shops, "bob@example.org")
    assert changes() != before


class TestNames:
    def test_a_team_is_renamed(self, ada: User, shops: Team) -> None:
        teams.rename_team(ada, shops, "  Book  shops ")
        assert shops.name == "Book shops"
        assert log(shops)[-1] == ("team.rename", "Shops → Book shops")

    def test_to_the_name_it_has_is_no_deed(self, ada: User, shops: Team) -> None:
        teams.rename_team(ada, shops, "Shops ")
        assert [action for action, _ in log(shops)] == ["team.create"]

    def test_of_another_team_of_the_same_person_is_refused(self, ada: User, shops: Team) -> None:
        teams.create_team(ada, "Blogs")
        with pytest.raises(names.RefusedError, match="already have a team named 'Blogs'"):
            teams.rename_team(ada, shops, "Blogs")
        assert shops.name == "Shops"


class TestPersonal:
    def test_is_made_once(self, ada: User) -> None:
        own = teams.personal_team(ada)
        assert own.personal
        assert own.name == "Personal"
        assert teams.personal_team(ada) is own

    def test_is_made_beside_a_shared_team_of_that_name(self, ada: User) -> None:
        shared = teams.create_team(ada, "Personal")
        assert teams.personal_team(ada) is not shared

    def test_keeps_its_name(self, ada: User) -> None:
        with pytest.raises(names.RefusedError, match="keeps its name"):
            teams.rename_team(ada, teams.personal_team(ada), "Mine")

    def test_cannot_be_left(self, ada: User) -> None:
        own = teams.personal_team(ada)
        with pytest.raises(names.RefusedError, match="needs an owner"):
            members.leave(ada, own)

    def test_is_deleted_only_when_empty(self, ada: User) -> None:
        own = teams.personal_team(ada)
        project = projects.create_project(own, "Shop")
        with pytest.raises(names.RefusedError, match="move or delete them first"):
            teams.delete_team(ada, own)
        db.session.delete(project)
        db.session.commit()
        assert teams.delete_team(ada, own) == []
        assert teams.teams_of(ada) == []


class TestRoles:
    @pytest.mark.parametrize("actor", POWER)
    @pytest.mark.parametrize("target", POWER)
    @pytest.mark.parametrize("wanted", POWER)
    def test_who_may_change_whom_into_what(
        self, shops: Team, actor: Role, target: Role, wanted: Role
    ) -> None:
        acting = join(shops, actor, "actor@example.org")
        join(shops, target, "target@example.org")
        # Owners may do everything; admins may do everything but touch or make owners.
        allowed = actor is OWNER or (actor is ADMIN and OWNER not in (target, wanted))
        if allowed:
            members.change_role(acting, shops, "target@example.org", wanted)
        else:
            with pytest.raises(NotAllowedError):
                members.change_role(acting, shops, "target@example.org", wanted)
        assert roles(shops)["target"] == (wanted if allowed else target)

    @pytest.mark.parametrize("actor", POWER)
    @pytest.mark.parametrize("target", POWER)
    def test_who_may_remove_whom(self, shops: Team, actor: Role, target: Role) -> None:
        acting = join(shops, actor, "actor@example.org")
        join(shops, target, "target@example.org")
        allowed = actor is OWNER or (actor is ADMIN and target is not OWNER)
        if allowed:
            members.remove(acting, shops, "target@example.org")
        else:
            with pytest.raises(NotAllowedError):
                members.remove(acting, shops, "target@example.org")
        assert ("target" in roles(shops)) is not allowed

    def test_a_change_is_in_the_log_and_no_change_is_not(self, ada: User, shops: Team) -> None:
        join(shops, VIEWER, "bob@example.org")
        for _ in range(2):
            members.change_role(ada, shops, "bob@example.org", ADMIN)
        members.remove(ada, shops, "bob@example.org")
        assert log(shops)[1:] == [
            ("member.role", "bob@example.org: viewer → admin"),
            ("member.remove", "bob@example.org (admin)"),
        ]

    def test_a_stranger_can_neither_act_nor_be_acted_on(self, ada: User, shops: Team) -> None:
        bob = make_user("bob@example.org")
        with pytest.raises(NotAllowedError):
            members.change_role(bob, shops, "ada@example.org", VIEWER)
        with pytest.raises(names.RefusedError, match="not in this team any more"):
            members.remove(ada, shops, "bob@example.org")


def leave(user: User, team: Team) -> None:
    members.leave(user, team)


def be_removed(user: User, team: Team) -> None:
    members.remove(user, team, user.email)


def be_demoted(user: User, team: Team) -> None:
    members.change_role(user, team, user.email, VIEWER)


DEEDS: list[Callable[[User, Team], None]] = [leave, be_removed, be_demoted]


class TestTheLastOwner:
    def test_cannot_leave_be_removed_or_be_demoted(self, ada: User, shops: Team) -> None:
        join(shops, ADMIN)
        for deed in DEEDS:
            with pytest.raises(names.RefusedError, match="needs an owner"):
                deed(ada, shops)
        assert roles(shops)["ada"] == OWNER
        assert members.is_last_owner(ada, shops)

    def test_goes_once_there_is_another(self, ada: User, shops: Team) -> None:
        join(shops, ADMIN, "bob@example.org")
        members.change_role(ada, shops, "bob@example.org", OWNER)
        assert not members.is_last_owner(ada, shops)
        members.leave(ada, shops)
        assert roles(shops) == {"bob": OWNER}
        assert log(shops)[-1] == ("member.leave", "was owner")

    @pytest.mark.parametrize("deed", DEEDS)
    def test_stays_when_all_owners_go_at_once(
        self, app: Flask, shops: Team, deed: Callable[[User, Team], None]
    ) -> None:
        emails = ["ada@example.org"]
        emails += [join(shops, OWNER, f"owner{n}@example.org").email for n in range(5)]
        refused: list[str] = []
        start = threading.Barrier(len(emails))

        def go(email: str) -> None:
            with app.app_context():
                user = users.user_by_email(email)
                assert user is not None
                team = teams.teams_of(user)[0]
                assert len(members.members_of(team)) == len(emails)  # as a page has read it
                start.wait(30)
                try:
                    deed(user, team)
                except names.RefusedError:
                    refused.append(email)

        threads = [threading.Thread(target=go, args=(email,)) for email in emails]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(refused) == 1
        db.session.expire_all()
        owners = [name for name, role in roles(shops).items() if role == OWNER]
        assert [f"{name}@example.org" for name in owners] == refused


class TestDeleting:
    def test_takes_everything_in_it_along(self, ada: User, shops: Team) -> None:
        kept = projects.create_project(teams.create_team(ada, "Kept"), "Shop")
        gone = [projects.create_project(shops, name).id for name in ("a", "b")]
        assert sorted(teams.delete_team(ada, shops)) == gone
        assert db.session.scalars(select(Project)).all() == [kept]
        assert db.session.query(Key).count() == db.session.query(Member).count() == 1
        assert db.session.query(Invitation).count() == 0
        assert [team.name for team in teams.teams_of(ada)] == ["Kept"]

    def test_is_one_line_in_the_servers_log(
        self, ada: User, shops: Team, caplog: pytest.LogCaptureFixture
    ) -> None:
        projects.create_project(shops, "a")
        teams.delete_team(ada, shops)
        assert "ada@example.org deleted the team 'Shops' with 1 project" in caplog.text

    def test_a_deed_in_a_team_that_is_gone_is_refused(self, app: Flask, ada: User) -> None:
        stale = teams.create_team(ada, "Gone")
        teams_id = stale.public_id

        def delete_elsewhere() -> None:
            with app.app_context():
                user = users.user_by_email("ada@example.org")
                assert user is not None
                team = teams.team_for(user, teams_id)
                assert team is not None
                teams.delete_team(user, team)

        thread = threading.Thread(target=delete_elsewhere)
        thread.start()
        thread.join(30)
        with pytest.raises(names.RefusedError, match="deleted meanwhile"):
            members.leave(ada, stale)
