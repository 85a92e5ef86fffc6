"""What all pages of a team share: its name, the person's role in it, and what that role may do."""

from typing import Any, Final

from flask_performance.server.accounts import members, models, permissions, teams
from flask_performance.server.accounts.models import Role
from flask_performance.server.accounts.permissions import Action

from .. import access

#: What a role is for. `permissions.LEAST` is the law; this is its gist.
GIST: Final = {
    Role.OWNER: "Owners do everything, also make other owners and delete the team.",
    Role.ADMIN: "Admins manage people, projects, limits and API tokens, but no owners.",
    Role.MEMBER: "Members create and change projects and their keys.",
    Role.VIEWER: "Viewers see projects and their data, but no DSN.",
}


def frame(team: models.Team, page: str) -> dict[str, Any]:
    """What `team_frame.html` needs. `page` is the name of the one that is open."""
    user = access.member()
    role = teams.role_in(user, team)
    return {
        "team": team,
        "teams": teams.teams_of(user),
        "page": page,
        "role": role,
        "gist": GIST,
        "may": {action.name: permissions.may(role, action) for action in Action},
    }


def role_choices(role: Role | None) -> list[tuple[str, str]]:
    """The roles that a member of this role may give, as choices of a form, least first."""
    return [(one.value, one.value.capitalize()) for one in members.grantable(role)]
