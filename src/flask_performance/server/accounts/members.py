"""Who is in a team, and as what. Every function needs an app context.

Each change is one transaction that holds the team, so that two of them at once cannot leave a team
without an owner. Roles are read inside it: an admin who was demoted a moment ago changes nothing.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager

from . import audit
from .models import Member, Role, Team, User, db
from .names import RefusedError
from .permissions import POWER, Action, may
from .teams import changing, role_in


class NotAllowedError(Exception):
    """The person's role is too weak for it."""


def members_of(team: Team) -> list[Member]:
    """The most powerful first, then by address."""
    query = (
        select(Member)
        .join(Member.user)
        .where(Member.team_id == team.id)
        .options(contains_eager(Member.user))
        .order_by(User.email)
    )
    return sorted(db.session.scalars(query), key=lambda one: -POWER.index(Role(one.role)))


def grantable(role: Role | None) -> list[Role]:
    """The roles that a member of this role may give to others, least first."""
    if not may(role, Action.MANAGE_MEMBERS):
        return []
    return [one for one in POWER if one is not Role.OWNER or may(role, Action.MANAGE_OWNERS)]


def may_change(role: Role | None, other: Role) -> bool:
    """Whether a member of one role may change or remove a member of the other."""
    return other in grantable(role)


def change_role(actor: User, team: Team, email: str, role: Role) -> None:
    """Raises RefusedError (no member, the last owner) and NotAllowedError."""
    with changing(team):
        member = _changeable(actor, team, email)
        if not may_change(role_in(actor, team), role):
            raise NotAllowedError
        if member.role == role:
            return
        if member.role == Role.OWNER:
            _refuse_last_owner(team, "make somebody else an owner first.")
        audit.record(team, "member.role", f"{member.user.email}: {member.role} → {role}")
        member.role = role


def remove(actor: User, team: Team, email: str) -> None:
    """The person sees nothing of the team from now on.

    Raises RefusedError (no member, the last owner) and NotAllowedError.
    """
    with changing(team):
        member = _changeable(actor, team, email)
        if member.role == Role.OWNER:
            _refuse_last_owner(team, "make somebody else an owner first, or delete the team.")
        audit.record(team, "member.remove", f"{member.user.email} ({member.role})")
        db.session.delete(member)


def leave(user: User, team: Team) -> None:
    """Raises RefusedError: the last owner."""
    with changing(team):
        member = db.session.get(Member, (team.id, user.id))
        if member is None:
            return
        if member.role == Role.OWNER:
            _refuse_last_owner(team, "make somebody else an owner first, or delete the team.")
        audit.record(team, "member.leave", f"was {member.role}")
        db.session.delete(member)


def is_last_owner(user: User, team: Team) -> bool:
    """Whether the team would have no owner without the user."""
    return role_in(user, team) is Role.OWNER and _owners(team) == 1


def _changeable(actor: User, team: Team, email: str) -> Member:
    """The member with this address, whom the actor may change."""
    query = select(Member).join(Member.user).where(Member.team_id == team.id, User.email == email)
    member = db.session.scalar(query)
    if member is None:
        raise RefusedError(f"{email} is not in this team any more.")
    if not may_change(role_in(actor, team), Role(member.role)):
        raise NotAllowedError
    return member


def _refuse_last_owner(team: Team, remedy: str) -> None:
    if _owners(team) == 1:
        raise RefusedError(f"A team needs an owner, and this is its last one; {remedy}")


def _owners(team: Team) -> int:
    owners = select(func.count()).where(Member.team_id == team.id, Member.role == Role.OWNER)
    return db.session.scalar(owners) or 0
