"""Links into a team. Every function needs an app context.

An invitation is as good as its inviter's role: once that person may not give this role any more
(demoted, removed, gone), the link opens nothing.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, event, func, inspect, select, update

from . import audit, users
from .members import NotAllowedError, grantable
from .models import Invitation, Member, Role, Team, User, db, now
from .names import RefusedError
from .permissions import Action, may
from .teams import changing, role_in

#: How long a link works (days): what can be chosen, and what is chosen already.
DAYS: Final = (1, 7, 30)
DEFAULT_DAYS: Final = 7
#: Open invitations of a team. More is no team that grows, but somebody who sends mail to everybody.
MOST_OPEN: Final = 200


def invite(actor: User, team: Team, role: Role, days: int, email: str | None = None) -> str:
    """The secret of a new link. It is shown once: the database keeps only its hash.

    With an address, only an account of that address can use it, and an older link for the same
    address stops working. Raises RefusedError and NotAllowedError.
    """
    if email is not None:
        email = users.clean_email(email)
    if days not in DAYS:
        raise RefusedError(f"A link works for {', '.join(map(str, DAYS[:-1]))} or {DAYS[-1]} days.")
    secret = secrets.token_urlsafe(32)
    with changing(team):
        _refuse(actor, team, role, email)
        _replace(team, email)
        db.session.add(
            Invitation(
                team=team,
                email=email,
                role=role,
                secret_sha256=_sha256(secret),
                invited_by=actor.email,
                expires_at=now() + timedelta(days=days),
            )
        )
        audit.record(team, "invitation.create", _words(email, role))
    return secret


def _refuse(actor: User, team: Team, role: Role, email: str | None) -> None:
    if role not in grantable(_inviting(role_in(actor, team))):
        raise NotAllowedError
    if team.personal:
        raise RefusedError("Nobody can be invited into a personal team; make a new team to share.")
    if email is not None and _is_member(team, email):
        raise RefusedError(f"{email} is in this team already.")
    if len(open_of(team)) >= MOST_OPEN:
        raise RefusedError(f"The team has {MOST_OPEN} open invitations; revoke some first.")


def _inviting(role: Role | None) -> Role | None:
    return role if may(role, Action.INVITE) else None


def _is_member(team: Team, email: str) -> bool:
    same = func.lower(User.email) == email.lower()
    query = select(Member).join(Member.user).where(Member.team_id == team.id, same)
    return db.session.scalar(query) is not None


def _replace(team: Team, email: str | None) -> None:
    """The newest link for an address is the only one."""
    if email is not None:
        same = (Invitation.team_id == team.id) & (func.lower(Invitation.email) == email.lower())
        waiting = Invitation.accepted_at.is_(None) & Invitation.revoked_at.is_(None)
        db.session.execute(update(Invitation).where(same, waiting).values(revoked_at=now()))


def find(secret: str) -> Invitation | None:
    """The invitation of a link, whether it works or not."""
    return db.session.scalar(select(Invitation).where(Invitation.secret_sha256 == _sha256(secret)))


def valid(secret: str) -> Invitation | None:
    """The invitation of a link that works; None for an invented, used, revoked or expired one."""
    return _first_open(Invitation.secret_sha256 == _sha256(secret))


def is_invited(email: str) -> bool:
    """Whether an invitation for this very address waits to be used."""
    return _first_open(func.lower(Invitation.email) == email.lower()) is not None


def is_for(invitation: Invitation, email: str) -> bool:
    """Whether an account of this address may use it."""
    return invitation.email is None or invitation.email.lower() == email.lower()


def accept(user: User, secret: str) -> Team:
    """Makes the user a member, once. Raises RefusedError."""
    invitation = _usable(user, secret)
    team = invitation.team
    with changing(team):  # and now that nobody overtakes
        invitation = _usable(user, secret)
        if role_in(user, team) is not None:
            raise RefusedError(f"You are in the team {team.name!r} already.")
        invitation.accepted_at = now()
        db.session.add(Member(team=team, user=user, role=invitation.role))
        audit.record(team, "member.join", f"as {invitation.role}, by {invitation.invited_by}")
    return team


def _usable(user: User, secret: str) -> Invitation:
    invitation = valid(secret)
    if invitation is None:
        raise RefusedError("This invitation does not work any more; ask for a new one.")
    if not is_for(invitation, user.email):
        raise RefusedError("This invitation is for another address than your account's.")
    return invitation


def open_of(team: Team) -> list[Invitation]:
    """Those that work, newest first."""
    found = db.session.execute(_waiting().where(Invitation.team_id == team.id))
    return [invitation for invitation, role in found if _stands(invitation, role)]


def revoke(team: Team, public_id: str) -> None:
    """Nothing happens to one that is used, revoked or of another team."""
    with changing(team):
        mine = (Invitation.team_id == team.id) & (Invitation.public_id == public_id)
        invitation = _first_open(mine)
        if invitation is not None:
            invitation.revoked_at = now()
            role = Role(invitation.role)
            audit.record(team, "invitation.revoke", _words(invitation.email, role))


def _first_open(condition: Any) -> Invitation | None:
    found = db.session.execute(_waiting().where(condition))
    return next((invitation for invitation, role in found if _stands(invitation, role)), None)


def _waiting() -> Select[Invitation, str]:
    """Neither used nor revoked nor expired, each with its inviter's role of today."""
    inviter = (User.email == Invitation.invited_by) & User.active
    member = (Member.team_id == Invitation.team_id) & (Member.user_id == User.id)
    return (
        select(Invitation, Member.role)
        .join(User, inviter)
        .join(Member, member)
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .where(Invitation.expires_at > now())
        .order_by(Invitation.id.desc())
    )


def _stands(invitation: Invitation, inviter: str) -> bool:
    """Whether who invited may still give that role."""
    return Role(invitation.role) in grantable(_inviting(Role(inviter)))


@event.listens_for(User, "before_update")
def _follow(_mapper: object, connection: Connection, user: User) -> None:
    """Who changes their address keeps the links that they made."""
    if inspect(user).attrs.email.history.has_changes():
        old = connection.scalar(select(User.email).where(User.id == user.id))
        mine = update(Invitation).where(Invitation.invited_by == old)
        connection.execute(mine.values(invited_by=user.email))


def _words(email: str | None, role: Role) -> str:
    return f"{email or 'whoever has the link'} as {role}"


def _sha256(secret: str) -> str:
    """A plain hash is enough: the secret has 256 random bits, nobody guesses it."""
    return hashlib.sha256(secret.encode()).hexdigest()
