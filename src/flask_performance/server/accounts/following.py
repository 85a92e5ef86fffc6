"""Hears what other processes commit to the accounts, where PostgreSQL is shared.

So whoever was removed from a team by one web process hears nothing more from the live pages of
another within the same seconds. Without a connection, or behind a pooler that cannot listen, live
pages ask now and then as they do for changes that commands make.
"""

import logging
import threading
from typing import Final

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from .database import connect_args
from .orm import CHANNEL, note_change

log = logging.getLogger(__name__)

#: Whether to stop is asked this often, and a lost connection is made again (seconds).
PAUSE: Final = 1.0


class Follower:
    """A thread with a connection of its own."""

    def __init__(self, address: URL) -> None:
        self._engine = create_engine(
            address, poolclass=NullPool, connect_args=connect_args(address)
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="accounts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(PAUSE * 2)
        self._engine.dispose()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except SQLAlchemyError as error:
                log.warning("Changes of the accounts are not heard: %(error)s", {"error": error})
            except Exception:  # the driver's own, where its connection ended
                log.warning("Changes of the accounts are not heard for a moment", exc_info=True)
            self._stopping.wait(PAUSE)

    def _listen(self) -> None:
        with self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None  # noqa: S101
            raw.autocommit = True
            raw.execute(f"LISTEN {CHANNEL}")
            note_change()  # whatever happened while nobody listened
            while not self._stopping.is_set():
                for _ in raw.notifies(timeout=PAUSE):
                    note_change()
