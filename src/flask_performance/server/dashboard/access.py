"""From the accounts to what pages show: the person, and the projects this person may see."""

from flask import abort
from flask_security import current_user

from flask_performance.server.accounts import dsn, models, permissions, teams
from flask_performance.server.accounts.permissions import Action
from flask_performance.server.accounts.projects import project_for, projects_of

from .scope import Project


def person() -> models.User | None:
    """Who asks; None for a visitor."""
    user = current_user._get_current_object() if current_user else None  # noqa: SLF001
    return user if isinstance(user, models.User) and user.is_authenticated else None


def member() -> models.User:
    """Who asks, on a page that only people who logged in reach."""
    user = person()
    if user is None:
        abort(401)
    return user


def projects() -> list[Project]:
    """Every project of the person's teams."""
    return [shown(project) for project in projects_of(member())]


def project(public_id: str) -> Project:
    """The person's project, else 404: "not yours" and "not there" look alike."""
    found = project_for(member(), public_id)
    if found is None:
        abort(404)
    return shown(found)


def team_to(action: Action, public_id: str) -> models.Team:
    """The person's team, for something that asks for a role.

    404 to who is no member, 403 to a member whose role is too weak.
    """
    user = member()
    team = teams.team_for(user, public_id)
    if team is None:
        abort(404)
    if not permissions.may(teams.role_in(user, team), action):
        abort(403)
    return team


def project_to(action: Action, public_id: str) -> models.Project:
    """The person's project, for something that asks for a role: 404 and 403 as `team_to`."""
    user = member()
    found = project_for(user, public_id)
    if found is None:
        abort(404)
    if not permissions.may(teams.role_in(user, found.team), action):
        abort(403)
    return found


def shown(found: models.Project) -> Project:
    """A project as a plain value."""
    return Project(
        id=found.id,
        public_id=found.public_id,
        name=found.name,
        team=found.team.name,
        dsn=dsn.dsn(dsn.base_url(), found.key) if found.key else None,
    )
