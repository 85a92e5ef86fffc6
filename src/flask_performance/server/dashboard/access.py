"""From the accounts to what pages show: the person, and the projects this person may see."""

from dataclasses import dataclass

from flask import abort
from flask_security import current_user

from flask_performance.server.accounts import dsn, models, permissions, teams
from flask_performance.server.accounts.permissions import Action
from flask_performance.server.accounts.projects import project_for, projects_of
from flask_performance.server.store.base import Thresholds

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


@dataclass(frozen=True)
class Rights:
    """What the person may do with a project, for pages that offer only that."""

    role: str
    dsn: bool
    change: bool
    keys: bool
    limits: bool
    move: bool
    delete: bool


def rights(project: Project) -> Rights:
    """404 where the project is not one of the person's."""
    user = member()
    found = project_for(user, project.public_id)
    role = teams.role_in(user, found.team) if found else None
    if role is None:
        abort(404)
    return Rights(
        role=role,
        dsn=permissions.may(role, Action.SEE_DSN),
        change=permissions.may(role, Action.CHANGE_PROJECT),
        keys=permissions.may(role, Action.MANAGE_KEYS),
        limits=permissions.may(role, Action.SET_LIMITS),
        move=permissions.may(role, Action.MOVE_PROJECT),
        delete=permissions.may(role, Action.DELETE_PROJECT),
    )


def shown(found: models.Project) -> Project:
    """A project as a plain value."""
    own = ((one.method, one.route, one.apdex_us) for one in found.operations)
    return Project(
        id=found.id,
        public_id=found.public_id,
        name=found.name,
        team=found.team.name,
        dsn=dsn.dsn(dsn.base_url(), found.key) if found.key else None,
        time_zone=found.time_zone,
        thresholds=Thresholds(found.apdex_us, tuple(sorted(own))),
    )
