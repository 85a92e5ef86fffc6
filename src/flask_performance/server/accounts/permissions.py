"""Who may do what: one table for pages, API and tests (`docs/accounts.md` shows it to people)."""

import enum
from typing import Final

from .models import Role


class Action(enum.StrEnum):
    """What a person can do with a team or with its projects. The value says it in words."""

    SEE_DATA = "see the team's projects and their data"
    SEE_DSN = "see DSNs and the set-up of a project"
    CREATE_PROJECT = "create a project"
    CHANGE_PROJECT = "change a project: name, time zone, Apdex thresholds"
    MANAGE_KEYS = "create, rename, rotate and revoke keys"
    SET_LIMITS = "set a project's retention and quotas"
    MOVE_PROJECT = "move a project to another team"
    DELETE_PROJECT = "delete a project with its data"
    INVITE = "invite people, see and revoke invitations"
    MANAGE_MEMBERS = "change the role of members, remove them"
    RENAME_TEAM = "rename the team"
    MANAGE_TOKENS = "create and revoke the team's API tokens"
    SEE_AUDIT = "read the audit log"
    MANAGE_OWNERS = "make and unmake owners"
    DELETE_TEAM = "delete the team with its projects"


#: Weakest first, so that a role's place is its power.
POWER: Final = (Role.VIEWER, Role.MEMBER, Role.ADMIN, Role.OWNER)

#: The least role that each action asks for.
LEAST: Final[dict[Action, Role]] = {
    Action.SEE_DATA: Role.VIEWER,
    Action.SEE_DSN: Role.MEMBER,
    Action.CREATE_PROJECT: Role.MEMBER,
    Action.CHANGE_PROJECT: Role.MEMBER,
    Action.MANAGE_KEYS: Role.MEMBER,
    Action.SET_LIMITS: Role.ADMIN,
    Action.MOVE_PROJECT: Role.ADMIN,
    Action.DELETE_PROJECT: Role.ADMIN,
    Action.INVITE: Role.ADMIN,
    Action.MANAGE_MEMBERS: Role.ADMIN,
    Action.RENAME_TEAM: Role.ADMIN,
    Action.MANAGE_TOKENS: Role.ADMIN,
    Action.SEE_AUDIT: Role.ADMIN,
    Action.MANAGE_OWNERS: Role.OWNER,
    Action.DELETE_TEAM: Role.OWNER,
}


class Scope(enum.StrEnum):
    """What a token may do for its owner; never more than the owner may."""

    READ = "read"
    WRITE = "write"


#: What a token does with the scope "read"; all else asks for "write". A DSN is among that: whoever
#: holds it writes.
READING: Final = frozenset({Action.SEE_DATA, Action.SEE_AUDIT})


def may(role: Role | None, action: Action) -> bool:
    """Whether a member of that role may do it; None is no member and may do nothing."""
    return role is not None and POWER.index(role) >= POWER.index(LEAST[action])


def roles_for(action: Action) -> list[Role]:
    """All roles that may do it."""
    return [role for role in POWER if may(role, action)]


def scope_of(action: Action) -> Scope:
    """The scope that a token needs for it."""
    return Scope.READ if action in READING else Scope.WRITE
