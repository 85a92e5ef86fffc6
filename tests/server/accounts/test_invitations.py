"""Links into a team: who may make them, who may use them, and that each works once."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from flask_performance.server.accounts import invitations, members, names, teams, users
from flask_performance.server.accounts.members import NotAllowedError
from flask_performance.server.accounts.models import (
    AuditEntry,
    Invitation,
    Member,
    Role,
    Team,
    User,
    db,
    now,
)
from flask_performance.server.accounts.permissions import POWER

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
def bob() -> User:
    return make_user("bob@example.org")


@pytest.fixture
def shops(ada: User) -> Team:
    return teams.create_team(ada, "Shops")


def log(team: Team) -> list[tuple[str, str]]:
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.team_id == team.id))
    return [(entry.action, entry.target) for entry in entries]


def invited(ada: User, team: Team, role: Role = MEMBER, email: str | None = None) -> str:
    return invitations.invite(ada, team, role, invitations.DEFAULT_DAYS, email)


def test_a_link_makes_a_member_once(ada: User, bob: User, shops: Team) -> None:
    secret = invited(ada, shops)
    assert invitations.accept(bob, secret) is shops
    assert teams.role_in(bob, shops) is MEMBER
    eve = make_user("eve@example.org")
    assert invitations.valid(secret) is None
    with pytest.raises(names.RefusedError, match="does not work any more"):
        invitations.accept(eve, secret)
    assert teams.role_in(eve, shops) is None
    assert log(shops)[1:] == [
        ("invitation.create", "whoever has the link as member"),
        ("member.join", "as member, by ada@example.org"),
    ]


def test_of_many_who_accept_at_once_one_joins(app: Flask, ada: User, shops: Team) -> None:
    secret = invited(ada, shops)
    emails = [make_user(f"p{n}@example.org").email for n in range(5)]
    joined: list[str] = []
    start = threading.Barrier(len(emails))

    def go(email: str) -> None:
        with app.app_context():
            user = users.user_by_email(email)
            assert user is not None
            assert invitations.valid(secret) is not None
            start.wait(30)
            try:
                invitations.accept(user, secret)
            except names.RefusedError:
                return
            joined.append(email)

    threads = [threading.Thread(target=go, args=(email,)) for email in emails]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(joined) == 1
    assert db.session.query(Member).count() == 2


def test_an_invitation_for_an_address_is_for_its_account_alone(
    ada: User, bob: User, shops: Team
) -> None:
    secret = invited(ada, shops, VIEWER, " Eve@Example.org ")
    with pytest.raises(names.RefusedError, match="another address"):
        invitations.accept(bob, secret)
    eve = make_user("eve@example.org")
    invitations.accept(eve, secret)
    assert teams.role_in(eve, shops) is VIEWER


def test_a_member_who_accepts_keeps_role_and_invitation(ada: User, bob: User, shops: Team) -> None:
    invitations.accept(bob, invited(ada, shops, ADMIN))
    secret = invited(ada, shops, VIEWER)
    with pytest.raises(names.RefusedError, match="in the team 'Shops' already"):
        invitations.accept(bob, secret)
    assert teams.role_in(bob, shops) is ADMIN
    assert invitations.valid(secret) is not None


def revoked(ada: User, team: Team, invitation: Invitation) -> None:
    invitations.revoke(team, invitation.public_id)


def expired(ada: User, team: Team, invitation: Invitation) -> None:
    invitation.expires_at = now() - timedelta(seconds=1)
    db.session.commit()


def replaced(ada: User, team: Team, invitation: Invitation) -> None:
    invited(ada, team, email="EVE@example.org")


def inviter_demoted(ada: User, team: Team, invitation: Invitation) -> None:
    _another_owner(team)
    members.change_role(ada, team, ada.email, MEMBER)


def inviter_gone(ada: User, team: Team, invitation: Invitation) -> None:
    _another_owner(team)
    members.leave(ada, team)


def inviter_deactivated(ada: User, team: Team, invitation: Invitation) -> None:
    ada.active = False
    db.session.commit()


def _another_owner(team: Team) -> None:
    user = make_user("other@example.org")
    db.session.add(Member(team=team, user=user, role=OWNER))
    db.session.commit()


@pytest.mark.parametrize(
    "happens", [revoked, expired, replaced, inviter_demoted, inviter_gone, inviter_deactivated]
)
def test_a_link_that_works_no_more(
    ada: User, shops: Team, happens: Callable[[User, Team, Invitation], None]
) -> None:
    secret = invited(ada, shops, email="eve@example.org")
    invitation = invitations.valid(secret)
    assert invitation is not None
    assert invitations.open_of(shops) == [invitation]
    happens(ada, shops, invitation)
    assert invitations.valid(secret) is None
    assert invitation not in invitations.open_of(shops)
    assert invitations.find(secret) is invitation
    with pytest.raises(names.RefusedError, match="does not work any more"):
        invitations.accept(make_user("eve@example.org"), secret)


def test_an_inviter_who_is_demoted_a_little_keeps_the_weaker_links(ada: User, shops: Team) -> None:
    _another_owner(shops)
    owner, admin = invited(ada, shops, OWNER), invited(ada, shops, ADMIN)
    members.change_role(ada, shops, ada.email, ADMIN)
    assert invitations.valid(owner) is None
    assert invitations.valid(admin) is not None


def test_an_inviter_who_changes_the_address_keeps_the_links(
    ada: User, bob: User, shops: Team
) -> None:
    secret = invited(ada, shops)
    users.change_email(ada, "lovelace@example.org")
    invitation = invitations.valid(secret)
    assert invitation is not None
    assert invitation.invited_by == "lovelace@example.org"
    assert invitations.accept(bob, secret) is shops


@pytest.mark.parametrize("secret", ["", "x", "é", "x" * 10_000])
def test_an_invented_secret_opens_nothing(ada: User, shops: Team, secret: str) -> None:
    invited(ada, shops)
    assert invitations.find(secret) is None
    assert invitations.valid(secret) is None


@pytest.mark.parametrize("actor", POWER)
@pytest.mark.parametrize("role", POWER)
def test_nobody_invites_beyond_their_own_power(shops: Team, actor: Role, role: Role) -> None:
    acting = make_user("actor@example.org")
    db.session.add(Member(team=shops, user=acting, role=actor))
    db.session.commit()
    if actor is OWNER or (actor is ADMIN and role is not OWNER):
        secret = invited(acting, shops, role)
        assert invitations.valid(secret) is not None
    else:
        with pytest.raises(NotAllowedError):
            invited(acting, shops, role)
        assert invitations.open_of(shops) == []


def test_refusals_say_why(ada: User, bob: User, shops: Team) -> None:
    with pytest.raises(names.RefusedError, match="not an email address"):
        invited(ada, shops, email="bob")
    with pytest.raises(names.RefusedError, match=r"ADA@example\.org is in this team already"):
        invited(ada, shops, email="ADA@example.org")
    with pytest.raises(names.RefusedError, match="1, 7 or 30 days"):
        invitations.invite(ada, shops, MEMBER, 365)
    with pytest.raises(names.RefusedError, match="into a personal team"):
        invited(ada, teams.personal_team(ada))
    with pytest.raises(NotAllowedError):
        invited(bob, shops)


def test_a_team_has_so_many_open_invitations_and_no_more(
    ada: User, shops: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    for _ in range(2):
        invited(ada, shops)
    with pytest.raises(names.RefusedError, match="revoke some first"):
        invited(ada, shops)


def test_another_teams_invitation_cannot_be_revoked(ada: User, bob: User, shops: Team) -> None:
    secret = invited(ada, shops)
    invitation = invitations.valid(secret)
    assert invitation is not None
    invitations.revoke(teams.create_team(bob, "Other"), invitation.public_id)
    assert invitations.valid(secret) is not None


@pytest.mark.embedded
def test_the_secret_is_not_in_the_file(ada: User, shops: Team, data: Path) -> None:
    secret = invited(ada, shops)
    db.session.remove()
    stored = b"".join(path.read_bytes() for path in data.glob("accounts.sqlite3*"))
    assert b"whoever has the link" in stored
    assert secret.encode() not in stored
