"""The first account of a server: made by a link that only who runs the server sees.

The link's secret lives in the memory of this process: new with each start, worth nothing as soon
as there is an account. What counts in the end is the database: the account is the first one if no
other is in it (`users.settle`).
"""

import hmac
import logging
import secrets
import threading
from typing import Final

from flask import Flask, current_app

from flask_performance.server.logs import FOR_THE_OPERATOR

from . import users
from .dsn import server_url

log = logging.getLogger(__name__)

EXTENSION: Final = "flask_performance_first_account"
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

    def matches(self, said: str) -> bool:
        with self._lock:
            secret = self._secret
        return secret is not None and hmac.compare_digest(secret.encode(), said.encode())

    def forget(self) -> None:
        with self._lock:
            self._secret = None


def init_app(app: Flask) -> None:
    app.extensions[EXTENSION] = FirstAccount()


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
    return pending() and _first().matches(said)


def _first() -> FirstAccount:
    first = current_app.extensions[EXTENSION]
    assert isinstance(first, FirstAccount)  # noqa: S101
    return first
