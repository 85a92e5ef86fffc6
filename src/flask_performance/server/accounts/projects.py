"""Projects and their keys. Every function needs an app context.

Whatever a user may not see is None or left out, so that "not yours" and "not there" look alike.
"""

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import contains_eager, selectinload

from .models import Key, Member, Project, Team, User, db, now
from .names import RefusedError, clean_name


def projects_of(user: User) -> list[Project]:
    """All projects of all teams of the user, by team and name, with their teams and keys."""
    query = (
        select(Project)
        .join(Project.team)
        .join(Member, Member.team_id == Team.id)
        .where(Member.user_id == user.id)
        .options(contains_eager(Project.team), selectinload(Project.keys))
        .order_by(Team.name, Team.id, Project.name)
    )
    return list(db.session.scalars(query))


def project_for(user: User, public_id: str) -> Project | None:
    """None unless the user is a member of the project's team."""
    query = (
        select(Project)
        .join(Project.team)
        .join(Member, Member.team_id == Team.id)
        .where(Member.user_id == user.id, Project.public_id == public_id)
        .options(contains_eager(Project.team))
    )
    return db.session.scalar(query)


def create_project(team: Team, name: str) -> Project:
    """A project with its first key. Raises RefusedError."""
    name = clean_name(name)
    taken = f"The team {team.name!r} already has a project named {name!r}; choose another name."
    if db.session.scalar(select(exists().where(Project.team_id == team.id, Project.name == name))):
        raise RefusedError(taken)
    project = Project(team=team, name=name, keys=[Key()])
    db.session.add(project)
    try:
        db.session.commit()
    except IntegrityError as error:  # somebody else was faster
        db.session.rollback()
        raise RefusedError(taken) from error
    return project


def revoke_key(key: Key) -> None:
    """From now on the collector refuses it, within a second."""
    key.revoked_at = now()
    db.session.commit()
