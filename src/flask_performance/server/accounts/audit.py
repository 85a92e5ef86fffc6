"""Who did what in a team, when, from where: written with the deed, in the same transaction."""

from collections.abc import Iterator
from typing import Final

from flask import g, has_request_context, request
from flask_security import current_user
from sqlalchemy import ColumnElement, func, select

from .models import EMAIL_LENGTH, AuditEntry, Team, db

#: Every word that the log knows, and how a page says it after the actor's address.
ACTIONS: Final = {
    "team.create": "created the team",
    "team.rename": "renamed the team",
    "team.delete": "deleted the team",
    "member.join": "joined the team",
    "member.role": "changed a role",
    "member.remove": "removed a member",
    "member.leave": "left the team",
    "invitation.create": "invited",
    "invitation.revoke": "revoked an invitation",
    "project.create": "created a project",
    "project.change": "changed a project",
    "project.limits": "set limits of a project",
    "project.move_out": "moved a project to another team",
    "project.move_in": "moved a project into the team",
    "project.delete": "deleted a project",
    "key.create": "created a key",
    "key.rename": "renamed a key",
    "key.rotate": "rotated a key",
    "key.revoke": "revoked a key",
    "token.create": "created a team token",
    "token.revoke": "revoked a team token",
}
#: What deeds are done to: an action's word before the dot, and how a page names the choice.
KINDS: Final = {
    "team": "Team",
    "member": "People",
    "invitation": "Invitations",
    "project": "Projects",
    "key": "Keys",
    "token": "API tokens",
}
#: Who acts where nobody is logged in.
COMMAND_LINE: Final = "command line"
TARGET_LENGTH: Final = 255
#: Entries that are in memory at once while the log is read.
READ_AT_ONCE: Final = 500


def record(team: Team, action: str, target: str) -> None:
    """Add an entry to the transaction under way; the caller commits.

    `action` is a key of ACTIONS, `target` names in words what it was done to: never a secret.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is not in audit.ACTIONS")
    entry = AuditEntry(
        team_id=team.id, actor=_actor(), action=action, target=target[:TARGET_LENGTH],
        address=_address(),
    )  # fmt: skip
    db.session.add(entry)


def act_as(actor: str) -> None:
    """Who acts in the rest of this request, where no session says it: an API token."""
    if has_request_context():
        g.audit_actor = actor[:EMAIL_LENGTH]


def _actor() -> str:
    if not has_request_context():
        return COMMAND_LINE
    if current_user and current_user.is_authenticated:
        return str(current_user.email)
    return str(g.get("audit_actor", COMMAND_LINE))


def _address() -> str:
    return (request.remote_addr or "") if has_request_context() else ""


def count(team: Team, kind: str | None = None) -> int:
    """How many entries a team has, of one of KINDS or of all."""
    query = select(func.count()).select_from(AuditEntry).where(*_of(team, kind))
    return db.session.scalar(query) or 0


def entries(
    team: Team, kind: str | None = None, offset: int = 0, limit: int | None = None
) -> Iterator[AuditEntry]:
    """Newest first; read a part at a time, so that a long log is never in memory at once."""
    # Ids rise with time, and the index on the team has them in order: nothing is sorted.
    query = select(AuditEntry).where(*_of(team, kind)).order_by(AuditEntry.id.desc())
    query = query.offset(offset).limit(limit).execution_options(yield_per=READ_AT_ONCE)
    yield from db.session.scalars(query)


def _of(team: Team, kind: str | None) -> list[ColumnElement[bool]]:
    mine = [AuditEntry.team_id == team.id]
    if kind is not None:
        mine.append(AuditEntry.action.startswith(f"{kind}.", autoescape=True))
    return mine
