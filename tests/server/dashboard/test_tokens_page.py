"""The pages of API tokens: made, shown once, used, revoked; a person's and a team's."""

import html
import re

import pytest
from werkzeug.test import TestResponse

from flask_performance.server.accounts import teams, tokens, users
from flask_performance.server.accounts.models import Member, Role, Token, User, db

from .conftest import PASSWORD, Person, World

MINE = "/account/tokens"


@pytest.fixture
def ada(world: World) -> Person:
    return world.person()


@pytest.fixture
def team(world: World) -> str:
    """The address of the tokens of Ada's team."""
    with world.app.app_context():
        (team,) = teams.teams_of(found("ada@example.com"))
        return f"/teams/{team.public_id}/tokens"


def found(email: str) -> User:
    user = users.user_by_email(email)
    assert user is not None
    return user


def join(world: World, email: str, role: Role) -> None:
    """Make somebody else a member of Ada's team."""
    with world.app.app_context():
        (team,) = teams.teams_of(found("ada@example.com"))
        db.session.merge(Member(team_id=team.id, user_id=found(email).id, role=role))
        db.session.commit()


def make(person: Person, path: str = MINE, **fields: str) -> TestResponse:
    return person.post(path, **{"name": "Report", "scope": "read", "days": "90", **fields})


def secret_in(answer: TestResponse) -> str:
    match = re.search(r'id="token">(fp_[\w-]{43})<', answer.text)
    assert match, answer.text
    return match[1]


def revoke_path(answer: TestResponse) -> str:
    match = re.search(r'action="([^"]+/revoke)"', answer.text)
    assert match, answer.text
    return match[1]


def revoke(person: Person, path: str, form_at: str) -> TestResponse:
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', person.get(form_at).text)
    assert match
    return person.client.post(path, data={"csrf_token": match[1]})


@pytest.mark.parametrize(
    ("scope", "scopes"), [("read", {"read"}), ("read write", {"read", "write"})]
)
def test_the_secret_is_shown_once_and_works(
    scope: str, scopes: set[str], world: World, ada: Person
) -> None:
    answer = make(ada, scope=scope)
    assert answer.status_code == 201
    secret = secret_in(answer)
    with world.app.app_context():
        access = tokens.read_token(secret)
        assert access.user.email == "ada@example.com"
        assert access.scopes == scopes
    listed = ada.get(MINE).text
    assert secret not in listed
    assert "Report" in listed


@pytest.mark.parametrize(("days", "lives"), [("30", 30), ("90", 90), ("365", 365), ("", None)])
def test_it_lives_as_long_as_was_chosen(
    days: str, lives: int | None, world: World, ada: Person
) -> None:
    make(ada, days=days)
    with world.app.app_context():
        token = db.session.query(Token).one()
        if lives is None:
            assert token.expires_at is None
        else:
            assert token.expires_at is not None
            assert (token.expires_at - token.created_at).days in (lives - 1, lives)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "Say what the token is for."),
        ({"name": " \t"}, "Say what the token is for."),
        ({"name": "x" * 81}, "1 to 80 characters"),
        ({"name": "a\0b"}, "control characters"),
        ({"scope": "administrator"}, "Not a valid choice"),
        ({"days": "100000"}, "Not a valid choice"),
    ],
)
def test_a_wrong_form_is_explained(
    fields: dict[str, str], words: str, world: World, ada: Person
) -> None:
    answer = make(ada, **fields)
    assert answer.status_code == 422
    assert words in html.unescape(answer.text)
    with world.app.app_context():
        assert db.session.query(Token).count() == 0


def test_a_page_sent_twice_makes_one_token(world: World, ada: Person) -> None:
    make(ada)
    again = make(ada)
    assert again.status_code == 422
    assert "There is a token named 'Report' already" in html.unescape(again.text)
    with world.app.app_context():
        assert db.session.query(Token).count() == 1


def test_revoking(world: World, ada: Person) -> None:
    secret = secret_in(make(ada))
    answer = revoke(ada, revoke_path(ada.get(MINE)), MINE)
    assert (answer.status_code, answer.location) == (302, MINE)
    page = html.unescape(ada.get(MINE).text)
    assert "The token 'Report' is revoked" in page
    assert "You have no tokens." in page
    with world.app.app_context(), pytest.raises(tokens.TokenError):
        tokens.read_token(secret)


def test_nobody_revokes_another_persons_token(world: World, ada: Person) -> None:
    secret = secret_in(make(ada))
    path = revoke_path(ada.get(MINE))
    grace = world.person("grace@example.com")
    assert revoke(grace, path, "/projects/new").status_code == 404
    assert ada.client.post(path).status_code == 400  # without the form's own secret
    with world.app.app_context():
        tokens.read_token(secret)


def test_a_name_is_text(ada: Person) -> None:
    make(ada, name="<script>alert(1)</script>")
    assert "<script>alert" not in ada.get(MINE).text


class TestOfATeam:
    def test_is_the_teams(self, world: World, ada: Person, team: str) -> None:
        answer = make(ada, team)
        assert answer.status_code == 201
        with world.app.app_context():
            access = tokens.read_token(secret_in(answer))
            assert access.team is not None
            assert access.team.public_id in team
        assert "Report" not in ada.get(MINE).text
        assert "Report" in ada.get(team).text

    @pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
    def test_every_manager_sees_and_revokes_it(
        self, role: Role, world: World, ada: Person, team: str
    ) -> None:
        make(ada, team)
        join(world, "grace@example.com", role)
        grace = world.person("grace@example.com")
        page = grace.get(team)
        assert "ada@example.com" in page.text
        assert revoke(grace, revoke_path(page), team).status_code == 302
        assert "The team has no tokens." in ada.get(team).text

    @pytest.mark.parametrize(
        ("role", "status"), [(Role.MEMBER, 403), (Role.VIEWER, 403), (None, 404)]
    )
    def test_others_neither_see_nor_make_nor_revoke_it(
        self, role: Role | None, status: int, world: World, ada: Person, team: str
    ) -> None:
        make(ada, team)
        path = revoke_path(ada.get(team))
        if role:
            join(world, "grace@example.com", role)
        grace = world.person("grace@example.com")
        assert grace.get(team).status_code == status
        assert revoke(grace, path, "/projects/new").status_code == status
        assert "Report" in ada.get(team).text

    def test_of_another_team_cannot_be_revoked_through_ones_own(
        self, world: World, ada: Person, team: str
    ) -> None:
        make(ada, team)
        token_id = revoke_path(ada.get(team)).split("/")[-2]
        grace = world.person("grace@example.com")
        with world.app.app_context():
            (own,) = teams.teams_of(found("grace@example.com"))
            hers = f"/teams/{own.public_id}/tokens"
        assert revoke(grace, f"{hers}/{token_id}/revoke", hers).status_code == 404
        assert revoke(grace, f"{MINE}/{token_id}/revoke", MINE).status_code == 404

    def test_says_when_it_ended(self, world: World, ada: Person, team: str) -> None:
        join(world, "grace@example.com", Role.ADMIN)
        make(world.person("grace@example.com"), team)
        join(world, "grace@example.com", Role.MEMBER)
        assert "may not manage the team's tokens any more" in html.unescape(ada.get(team).text)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_old_log_in_has_to_show_again_who_it_is(
    method: str, world: World, ada: Person, team: str
) -> None:
    for path in (MINE, team):
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', ada.get(path).text)
        assert token
        with ada.client.session_transaction() as session:
            session["fs_paa"] = 0
            session.pop("fs_gexp", None)
        fields = {"csrf_token": token[1], "name": "Report", "scope": "read", "days": "30"}
        answer = ada.client.open(path, method=method, data=fields if method == "POST" else None)
        assert answer.status_code == 302
        assert answer.location.startswith("/verify")
        with world.app.app_context():
            assert db.session.query(Token).count() == 0
        assert ada.post("/verify", password=PASSWORD).status_code == 302
