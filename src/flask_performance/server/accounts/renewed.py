"""The key ring for PostgreSQL, which is too far away to be asked on the collector's event loop.

Keys that are known are asked for again by a thread, all at once; the loop waits for the database
only when a key comes for the first time, and not at all while the database does not answer.
"""

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from flask_performance.server.settings import Settings

from . import keys
from .database import open_engine, shared
from .keys import KeyRing, KeysUnavailableError, KnownKey
from .models import Key

log = logging.getLogger(__name__)


def open_keys(settings: Settings) -> KeyRing:
    """On a connection pool of its own. The database must have been upgraded."""
    ring = RenewedKeyRing if shared(settings) else KeyRing
    return ring(open_engine(settings))


class RenewedKeyRing(KeyRing):
    """A revoked key works at most `keys.LIFE` and one question longer."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(engine, clock)
        self._away = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self._thread.start()

    def find(self, key: str) -> KnownKey | None:
        entry = self._known.get(key)
        if entry is not None:
            return entry[0]
        if self._away:
            raise KeysUnavailableError("the accounts' database cannot be read")
        return super().find(key)

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        super().close()

    def _run(self) -> None:
        while not self._stopping.wait(keys.LIFE):
            try:
                self._renew()
            except SQLAlchemyError as error:
                if not self._away:
                    log.warning(
                        "Keys are taken as they were: the accounts' database cannot be read "
                        "(%(error)s)", {"error": error},
                    )  # fmt: skip
                self._away = True
            else:
                self._away = False

    def _renew(self) -> None:
        """Ask for all that are known; one that is gone is known no more."""
        asked = list(self._known)
        with self._engine.connect() as connection:
            rows = connection.execute(keys.KNOWN.where(Key.key.in_(asked))).all()
        found = {row.key: keys.known(row) for row in rows}
        for key in asked:
            if key in found:
                self._known[key] = (found[key], 0.0)
            else:
                self._known.pop(key, None)
