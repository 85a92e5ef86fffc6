"""Projects: who sees them; making, moving and deleting them. All of it needs an app context.

Whatever a user may not see is None or left out, so that "not yours" and "not there" look alike.
"""

from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import contains_eager, selectinload

from . import audit
from .models import Key, Member, Project, Team, User, db
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


def create_project(team: Team, name: str, public_id: str | None = None) -> Project:
    """A project with its first key. Raises RefusedError."""
    name = free_name(team, name)
    project = Project(team=team, name=name, keys=[Key()])
    if public_id is not None:
        project.public_id = public_id
    db.session.add(project)
    audit.record(team, "project.create", name)
    commit_name(team, name)
    return project


def move_project(project: Project, team: Team) -> None:
    """Into another team, with its keys, settings and data. Raises RefusedError."""
    old = project.team
    if old.id == team.id:
        raise RefusedError(f"The project is in the team {team.name!r} already.")
    name = free_name(team, project.name)
    audit.record(old, "project.move_out", f"{name} to {team.name}")
    audit.record(team, "project.move_in", f"{name} from {old.name}")
    project.team = team
    commit_name(team, name)


def delete_project(project: Project) -> int:
    """Gone, with its keys: the collector refuses them within a second. Returns its id.

    Its rows in the event store are the caller's to delete, afterwards.
    """
    project_id = project.id
    audit.record(project.team, "project.delete", project.name)
    db.session.delete(project)
    db.session.commit()
    return project_id


def project_ids() -> set[int]:
    """Every project there is."""
    return set(db.session.scalars(select(Project.id)))


def greatest_id() -> int:
    """Of all projects that ever were, deleted ones too: no id is given twice. 0: there was none."""
    asked = "select seq from sqlite_sequence where name = 'projects'"
    if db.engine.dialect.name == "postgresql":
        asked = "select pg_sequence_last_value(pg_get_serial_sequence('projects', 'id')::regclass)"
    given = db.session.scalar(text(asked)) or 0
    # Rows that were copied into a database say nothing to its sequence.
    return max(given, db.session.scalar(select(func.max(Project.id))) or 0)


def free_name(team: Team, name: str, project: Project | None = None) -> str:
    """The name, clean. Raises RefusedError where another project of the team has it."""
    name = clean_name(name)
    same = select(Project.id).where(Project.team_id == team.id, Project.name == name)
    if project is not None:
        same = same.where(Project.id != project.id)
    with db.session.no_autoflush:
        if db.session.scalar(select(exists(same))):
            raise RefusedError(_taken(team.name, name))
    return name


def commit_name(team: Team, name: str) -> None:
    """Commit what gives a project of the team this name. Raises RefusedError."""
    named = team.name
    try:
        db.session.commit()
    except IntegrityError as error:  # somebody else was faster
        db.session.rollback()
        raise RefusedError(_taken(named, name)) from error


def _taken(team: str, name: str) -> str:
    return f"The team {team!r} already has a project named {name!r}; choose another name."
