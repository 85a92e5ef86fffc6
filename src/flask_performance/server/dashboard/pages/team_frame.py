"""What all pages of a team share: its name, the person's role in it, and what that role may do."""

from typing import Any, Final

from flask_performance.server.accounts import members, models, permissions, teams
from flask_performance.server.accounts.models import Role
from flask_performance.server.accounts.permissions import Action

from .. import access

#: What a role is for, after "Owner: …". `permissions.LEAST` is the law; this is its gist.
GIST: Final = {
    Role.OWNER: "everything, also making other owners and deleting the team",
    Role.ADMIN: "people, projects, limits and API tokens; all but owners and the team itself",
    Role.MEMBER: "creating and changing projects, with their keys",
    Role.VIEWER: "seeing projects and their data, without DSNs",
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
