"""Keys to the REST API: whose they are, what they open, and when they end."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from flask_performance.server.accounts import names, projects, teams, tokens, users
from flask_performance.server.accounts.models import AuditEntry, Member, Role, Team, User, db, now
from flask_performance.server.accounts.permissions import LEAST, READING, Action, Scope, scope_of
from flask_performance.server.accounts.tokens import TokenError, create_token, read_token

from .support import PASSWORD


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def ada() -> User:
    return users.create_user("ada@example.org", PASSWORD)


@pytest.fixture
def bob() -> User:
    return users.create_user("bob@example.org", PASSWORD)


@pytest.fixture
def team(ada: User, bob: User) -> Team:
    """Ada's, with Bob as an admin."""
    team = teams.create_team(ada, "Team")
    team.members.append(Member(user=bob, role=Role.ADMIN))
    db.session.commit()
    return team


def entries() -> list[tuple[str, str]]:
    return [(entry.action, entry.target) for entry in db.session.query(AuditEntry)]


def test_a_token_is_its_owner(ada: User) -> None:
    secret = create_token(ada, "laptop")
    assert secret.startswith("fp_")
    access = read_token(secret)
    assert access.user is ada
    assert access.scopes == set(Scope)
    assert access.team is None


@pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None), slice(0, 0), slice(3, None)])
def test_a_part_of_a_token_is_none(cut: slice, ada: User) -> None:
    with pytest.raises(TokenError, match="No such token"):
        read_token(create_token(ada, "laptop")[cut])


def test_of_a_deactivated_user_is_refused(ada: User) -> None:
    secret = create_token(ada, "laptop")
    ada.active = False
    db.session.commit()
    with pytest.raises(TokenError, match="account is closed"):
        read_token(secret)


def test_last_use_is_kept_to_the_minute(ada: User) -> None:
    secret = create_token(ada, "laptop")
    token = ada.tokens[0]
    read_token(secret)
    first = token.last_used_at
    assert first is not None
    assert now() - first < timedelta(minutes=1)
    read_token(secret)
    assert token.last_used_at == first
    token.last_used_at = first - timedelta(minutes=2)
    db.session.commit()
    read_token(secret)
    assert token.last_used_at > first - timedelta(minutes=1)


def test_expiry(ada: User) -> None:
    secret = create_token(ada, "laptop", days=30)
    (token,) = tokens.tokens_of(ada)
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - now() <= timedelta(days=30)
    read_token(secret)
    token.expires_at = now()
    db.session.commit()
    with pytest.raises(TokenError, match=f"expired on {now():%Y}"):
        read_token(secret)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_life_that_cannot_be(days: int, ada: User) -> None:
    with pytest.raises(names.RefusedError, match="1 to 3650 days"):
        create_token(ada, "laptop", days=days)
    assert tokens.tokens_of(ada) == []


def test_a_token_for_nothing_is_refused(ada: User) -> None:
    with pytest.raises(names.RefusedError, match="what the token may do"):
        create_token(ada, "laptop", scopes=())


def test_revoked_it_is_gone(ada: User) -> None:
    secret = create_token(ada, "laptop")
    other = create_token(ada, "desktop")
    tokens.revoke(tokens.tokens_of(ada)[1])
    with pytest.raises(TokenError):
        read_token(secret)
    assert read_token(other).user is ada


def test_scopes_and_role_both_count(ada: User, bob: User, team: Team) -> None:
    reading = read_token(create_token(bob, "read", [Scope.READ]))
    writing = read_token(create_token(bob, "both"))
    for action in Action:
        allowed = LEAST[action] is not Role.OWNER  # Bob is an admin
        assert writing.may(team, action) is allowed
        assert reading.may(team, action) is (allowed and action in READING)
    elsewhere = teams.create_team(ada, "Other")
    assert not any(writing.may(elsewhere, action) for action in Action)


def test_what_only_reads_changes_nothing() -> None:
    assert {action for action in Action if scope_of(action) is Scope.READ} == {
        Action.SEE_DATA, Action.SEE_AUDIT,
    }  # fmt: skip


class TestOfATeam:
    def test_sees_that_team_alone(self, ada: User, team: Team) -> None:
        other = teams.create_team(ada, "Other")
        here, there = (projects.create_project(one, "Shop") for one in (team, other))
        access = read_token(create_token(ada, "ci", team=team))
        assert access.teams() == [team]
        assert access.projects() == [here]
        assert access.team_for(team.public_id) is team
        assert access.team_for(other.public_id) is None
        assert access.project_for(here.public_id) is here
        assert access.project_for(there.public_id) is None
        assert access.default_team() is team
        assert not any(access.may(other, action) for action in Action)

    def test_is_listed_with_the_team_and_not_with_its_maker(self, ada: User, team: Team) -> None:
        create_token(ada, "ci", team=team)
        create_token(ada, "laptop")
        assert [token.name for token in tokens.tokens_of_team(team)] == ["ci"]
        assert [token.name for token in tokens.tokens_of(ada)] == ["laptop"]

    @pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER, None])
    def test_ends_when_its_maker_may_not_make_it_any_more(
        self, role: Role | None, bob: User, team: Team
    ) -> None:
        secret = create_token(bob, "ci", team=team)
        read_token(secret)
        member = db.session.get(Member, (team.id, bob.id))
        assert member is not None
        if role is None:
            db.session.delete(member)
        else:
            member.role = role
        db.session.commit()
        with pytest.raises(TokenError, match="may not manage"):
            read_token(secret)

    @pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER, None])
    def test_is_made_by_who_may(self, role: Role | None, bob: User, ada: User) -> None:
        team = teams.create_team(ada, "Team")
        if role:
            team.members.append(Member(user=bob, role=role))
            db.session.commit()
        with pytest.raises(names.RefusedError, match="may not make tokens"):
            create_token(bob, "ci", team=team)
        assert tokens.tokens_of_team(team) == []

    def test_making_and_revoking_are_in_the_audit_log(self, ada: User, team: Team) -> None:
        before = entries()
        secret = create_token(ada, "ci", team=team)
        create_token(ada, "laptop")
        tokens.revoke(tokens.tokens_of_team(team)[0])
        tokens.revoke(tokens.tokens_of(ada)[0])
        logged = entries()[len(before) :]
        assert logged == [("token.create", "ci"), ("token.revoke", "ci")]
        assert secret not in str(logged)
