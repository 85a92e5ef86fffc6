"""The first account of a server: made by a link that only who runs the server sees.

The link's secret lives in the memory of this process: new with each start, worth nothing as soon
as there is an account. Where several web processes share the accounts it is in their database, so
that all of them know the link that one of them wrote. What counts in the end is the database: the
account is the first one if no other is in it (`users.settle`).
"""

import hmac
import logging
import secrets
import threading
from typing import Final

from flask import Flask, current_app
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from flask_performance.server.logs import FOR_THE_OPERATOR

from . import users
from .database import shared
from .dsn import server_url, settings
from .models import Note, db

log = logging.getLogger(__name__)

EXTENSION: Final = "flask_performance_first_account"
#: The note that holds the secret of several processes.
NOTE: Final = "first_account"
#: The field of the link's query.
FIELD: Final = "first"


class FirstAccount:
    """The secret of one process. It is made when it is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secret: str | None = None

    def secret(self) -> tuple[str, bool]:
        """The secret, and whether it was made just now."""
        with self._lock:
            made = self._secret is None
            self._secret = self._secret or secrets.token_urlsafe(24)
            return self._secret, made

    def known(self) -> str | None:
        with self._lock:
            return self._secret

    def forget(self) -> None:
        with self._lock:
            self._secret = None


class SharedFirstAccount(FirstAccount):
    """The secret of all processes. Needs an app context."""

    def secret(self) -> tuple[str, bool]:
        if (known := self.known()) is not None:
            return known, False
        note = Note(name=NOTE, value=secrets.token_urlsafe(24))
        db.session.add(note)
        try:
            db.session.commit()
        except IntegrityError:  # another process was faster
            db.session.rollback()
            return self.known() or "", False
        return note.value, True

    def known(self) -> str | None:
        return db.session.scalar(select(Note.value).where(Note.name == NOTE))

    def forget(self) -> None:
        """With the transaction at hand; where that is rolled back, it is worth nothing anyway."""
        db.session.execute(delete(Note).where(Note.name == NOTE))


def init_app(app: Flask) -> None:
    shares = shared(settings(app))
    app.extensions[EXTENSION] = SharedFirstAccount() if shares else FirstAccount()


def pending() -> bool:
    """Whether this server has no account yet. Needs an app context, as all below."""
    if users.first_user() is None:
        return True
    _first().forget()
    return False


def link() -> str | None:
    """Where the first account is made; None once there is one."""
    if not pending():
        return None
    secret, _ = _first().secret()
    return f"{server_url()}/signup?{FIELD}={secret}"


def announce() -> None:
    """Write the link to the log, for who runs the server."""
    if address := link():
        log.warning(
            "Nobody has an account yet. Make the first one here: %(link)s",
            {"link": address},
            extra=FOR_THE_OPERATOR,
        )


def announce_new() -> None:
    """`announce` where the log has no link that works: the accounts went while the server ran."""
    if _first().secret()[1]:
        announce()


def used() -> None:
    """The first account is made: the link opens nothing, also if that account goes one day."""
    _first().forget()


def opens(said: str) -> bool:
    """Whether this is the secret of the link, on a server without an account."""
    secret = _first().known() if pending() else None
    return secret is not None and hmac.compare_digest(secret.encode(), said.encode())


def _first() -> FirstAccount:
    first = current_app.extensions[EXTENSION]
    assert isinstance(first, FirstAccount)  # noqa: S101
    return first
