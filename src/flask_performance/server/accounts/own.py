"""The project "This server": where the platform's own web app sends its requests.

It is made once, and belongs to the first administrator: in the team that is theirs alone, from
where they may move it. Whoever deletes it does not get it again. Needs an app context.
"""

from typing import Final

from sqlalchemy import select

from . import projects, teams
from .models import Note, Project, User, db, public_id
from .names import RefusedError

#: The note whose value is the project's public id.
NOTE: Final = "this_server"
#: What it is called: the first that its team has not yet.
NAMES: Final = ("This server", "This server (Flask-Performance)")


def own_key() -> str | None:
    """The key of the project, which is made now if it never was.

    None: there is no administrator yet, it was deleted, or all its keys are revoked.
    """
    project = _project()
    return None if project is None else project.key


def _project() -> Project | None:
    note = db.session.get(Note, NOTE)
    if note is not None:
        return _noted(note)
    administrator = db.session.scalar(
        select(User).where(User.administrator).order_by(User.id).limit(1)
    )
    return None if administrator is None else _make(administrator)


def _make(administrator: User) -> Project | None:
    team = teams.personal_team(administrator)
    for name in NAMES:
        note = Note(name=NOTE, value=public_id())
        db.session.add(note)  # committed with the project, or not at all
        try:
            return projects.create_project(team, name, note.value)
        except RefusedError:  # the name is taken, or another process made the project just now
            db.session.rollback()
            if (made := db.session.get(Note, NOTE)) is not None:
                return _noted(made)
    return None


def _noted(note: Note) -> Project | None:
    return db.session.scalar(select(Project).where(Project.public_id == note.value))
