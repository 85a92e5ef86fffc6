"""What people do with the keys of a project. Every function needs an app context."""

from typing import Final

from sqlalchemy import func, select

from . import audit
from .models import Key, Project, db, now
from .names import RefusedError, clean_name

#: Working keys of a project: more than apps need, few enough for a page.
MOST_KEYS: Final = 50


def key_of(project: Project, public_id: str) -> Key | None:
    return db.session.scalar(
        select(Key).where(Key.project_id == project.id, Key.public_id == public_id)
    )


def working(project: Project) -> list[Key]:
    """The keys that are not revoked, oldest first."""
    return [key for key in project.keys if key.revoked_at is None]


def create_key(project: Project, name: str) -> Key:
    """Raises RefusedError."""
    key = _new(project, clean_name(name))
    audit.record(project.team, "key.create", _words(key))
    db.session.commit()
    return key


def rename_key(key: Key, name: str) -> None:
    """Raises RefusedError."""
    name = clean_name(name)
    audit.record(key.project.team, "key.rename", f"{_words(key)} to {name}")
    key.name = name
    db.session.commit()


def rotate_key(key: Key) -> Key:
    """A new key of the same name; the old one works until somebody revokes it.

    Raises RefusedError.
    """
    if key.revoked_at is not None:
        raise RefusedError("This key is revoked; create a new one instead.")
    if key.rotated_at is not None:
        raise RefusedError("This key was rotated before; rotate the one that took its place.")
    new = _new(key.project, key.name)
    key.rotated_at = now()
    audit.record(key.project.team, "key.rotate", _words(key))
    db.session.commit()
    return new


def revoke_key(key: Key) -> None:
    """From now on the collector refuses it, within a second. Twice is once."""
    if key.revoked_at is None:
        key.revoked_at = now()
        audit.record(key.project.team, "key.revoke", _words(key))
        db.session.commit()


def _new(project: Project, name: str) -> Key:
    query = select(func.count()).where(Key.project_id == project.id, Key.revoked_at.is_(None))
    if (db.session.scalar(query) or 0) >= MOST_KEYS:
        raise RefusedError(
            f"This project has {MOST_KEYS} working keys, which is the most; revoke one first."
        )
    key = Key(name=name)
    project.keys.append(key)
    return key


def _words(key: Key) -> str:
    return f"{key.name} of {key.project.name}"
