"""Teams. Every function needs an app context. `members` and `invitations` say who is in them.

Whatever a user may not see is None or left out, so that "not yours" and "not there" look alike.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import aliased

from . import audit
from .models import Member, Project, Role, Team, User, db
from .names import RefusedError, clean_name
from .permissions import Action, roles_for

log = logging.getLogger(__name__)

#: The name of a person's own team.
DEFAULT_TEAM: Final = "Personal"


@dataclass(frozen=True)
class TeamRow:
    """A team in the list of a person's teams."""

    team: Team
    role: Role
    people: int
    projects: int


def teams_of(user: User) -> list[Team]:
    """By name."""
    query = select(Team).join(Member).where(Member.user_id == user.id)
    return list(db.session.scalars(query.order_by(Team.name, Team.id)))


def teams_where(user: User, action: Action) -> list[Team]:
    """The teams in which the user's role allows the action, by name."""
    mine = (Member.user_id == user.id) & Member.role.in_(roles_for(action))
    query = select(Team).join(Member).where(mine)
    return list(db.session.scalars(query.order_by(Team.name, Team.id)))


def rows_of(user: User) -> list[TeamRow]:
    """The user's teams with their sizes; the personal one first, then by name."""
    other = aliased(Member)
    people = select(func.count(other.user_id)).where(other.team_id == Team.id)
    projects = select(func.count(Project.id)).where(Project.team_id == Team.id)
    query = (
        select(Team, Member.role, people.scalar_subquery(), projects.scalar_subquery())
        .join(Member, Member.team_id == Team.id)
        .where(Member.user_id == user.id)
        .order_by(Team.personal.desc(), Team.name, Team.id)
    )
    found = db.session.execute(query)
    return [TeamRow(team, Role(role), people, projects) for team, role, people, projects in found]


def team_for(user: User, public_id: str) -> Team | None:
    query = select(Team).join(Member).where(Member.user_id == user.id, Team.public_id == public_id)
    return db.session.scalar(query)


def role_in(user: User, team: Team) -> Role | None:
    """As the database has it now."""
    query = select(Member.role).where(Member.team_id == team.id, Member.user_id == user.id)
    role = db.session.scalar(query)
    return Role(role) if role else None


@contextmanager
def changing(team: Team) -> Iterator[None]:
    """A transaction that no other change of the same team's people can overtake.

    It writes the team's row first, which makes others wait (PostgreSQL locks the row, SQLite the
    file), and forgets what was read before. Commits at the end, rolls back on an error. Raises
    RefusedError when the team is gone.
    """
    try:
        hold(team)
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def hold(team: Team) -> None:
    """The first step of such a transaction, for one that changes several teams."""
    hold = update(Team).where(Team.id == team.id).values(name=Team.name).returning(Team.id)
    if not db.session.scalars(hold.execution_options(synchronize_session=False)).all():
        raise RefusedError("This team was deleted meanwhile.")
    db.session.expire_all()


def create_team(user: User | None, name: str, *, personal: bool = False) -> Team:
    """A team with the user as its owner. Raises RefusedError.

    Without a user: a team that the first user will adopt.
    """
    team = Team(name=clean_name(name), personal=personal)
    if user is not None:
        if not personal:
            _refuse_twin(user, team.name)
        team.members.append(Member(user=user, role=Role.OWNER))
    db.session.add(team)
    db.session.flush()
    audit.record(team, "team.create", team.name)
    db.session.commit()
    return team


def rename_team(user: User, team: Team, name: str) -> None:
    """Raises RefusedError: unusable, taken by another team of the user, or a personal team."""
    name = clean_name(name)
    if team.personal:
        raise RefusedError("Your personal team keeps its name; make a new team to share projects.")
    if name == team.name:
        return
    _refuse_twin(user, name)
    with changing(team):
        audit.record(team, "team.rename", f"{team.name} → {name}")
        team.name = name


def _refuse_twin(user: User, name: str) -> None:
    if any(other.name == name for other in teams_of(user)):
        raise RefusedError(f"You already have a team named {name!r}; choose another name.")


def project_count(team: Team) -> int:
    return db.session.scalar(select(func.count()).where(Project.team_id == team.id)) or 0


def delete_team(user: User, team: Team) -> list[int]:
    """The team is gone with all in it; the store's ids of its projects, whose rows go next.

    Keys and tokens stop at once. Raises RefusedError for a personal team with projects.
    """
    with changing(team):
        ids = list(db.session.scalars(select(Project.id).where(Project.team_id == team.id)))
        if team.personal and ids:
            raise RefusedError(
                "Your personal team has projects; move or delete them first, then the team."
            )
        # The team's own log goes with it: this is the line that stays.
        log.warning(
            "%(person)s deleted the team %(team)r with %(projects)d projects",
            {"person": user.email, "team": team.name, "projects": len(ids)},
        )
        db.session.delete(team)
    return ids


def personal_team(user: User) -> Team:
    """The person's own, where nobody else is invited; made on first use. Raises RefusedError."""
    own = select(Team).join(Member).where(Member.user_id == user.id, Team.personal)
    return db.session.scalar(own) or create_team(user, DEFAULT_TEAM, personal=True)


def has_personal_team(user: User) -> bool:
    return any(team.personal for team in teams_of(user))


def default_team(user: User) -> Team:
    """Where a project goes when its creator names no team.

    The oldest team that the user may create projects in, else the personal one.
    """
    creators = roles_for(Action.CREATE_PROJECT)
    query = select(Team).join(Member).where(Member.user_id == user.id, Member.role.in_(creators))
    return db.session.scalar(query.order_by(Team.id).limit(1)) or personal_team(user)
