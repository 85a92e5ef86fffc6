"""Which project a key belongs to, for the collector: asked for every batch, on its event loop."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy import Engine, Row, bindparam, select
from sqlalchemy.exc import SQLAlchemyError

from .models import Key, Project

#: How long an answer is believed (seconds). A revoked key works at most this much longer.
LIFE = 0.5
#: Answers kept. A flood of invented keys empties the cache instead of filling the memory.
CAPACITY = 10_000

T = TypeVar("T")

_KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
KNOWN = select(
    Key.key, Key.id, Key.project_id, Key.revoked_at, Project.quota_minute, Project.quota_month
).join(Key.project)
_FIND = KNOWN.where(Key.key == bindparam("key"))


class KeysUnavailableError(Exception):
    """The accounts' database cannot be read just now, and the key is not remembered."""


class KnownKey(NamedTuple):
    """What the collector has to know of a key."""

    id: int
    project_id: int
    #: Requests that the project's keys may bring together in a minute, in a month. None: any.
    quota_minute: int | None = None
    quota_month: int | None = None
    #: It opens nothing any more; known is only whose it was.
    revoked: bool = False


def known(row: Row[str, int, int, datetime | None, int | None, int | None]) -> KnownKey:
    """From a row of `KNOWN`."""
    _, id, project_id, revoked_at, quota_minute, quota_month = row
    return KnownKey(id, project_id, quota_minute, quota_month, revoked_at is not None)


class KeyRing:
    """A cache in front of the table of keys, for any number of threads.

    A hit costs a dictionary look-up. A miss is one read by primary index; it sees what any other
    process committed, so a new key works at once. What has not the form of a key is not looked
    up at all.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        # key -> (answer, believed until). Known and invented keys apart, so that a flood
        # of the latter does not push out the former. Each change is one atomic operation of dict.
        self._known: dict[str, tuple[KnownKey, float]] = {}
        self._unknown: dict[str, float] = {}

    def find(self, key: str) -> KnownKey | None:
        """None for a key that no project has or had.

        While the database cannot be read, the last answer holds. Raises KeysUnavailableError.
        """
        entry = self._known.get(key)
        if entry is not None and self._clock() < entry[1]:
            return entry[0]
        try:
            return self._look_up(key)
        except SQLAlchemyError as error:
            if entry is None:
                raise KeysUnavailableError("the accounts' database cannot be read") from error
            return entry[0]

    def _look_up(self, key: str) -> KnownKey | None:
        now = self._clock()
        if now < self._unknown.get(key, 0.0) or not _KEY.fullmatch(key):
            return None
        with self._engine.connect() as connection:
            row = connection.execute(_FIND, {"key": key}).one_or_none()
        # The answer is as old as the question: `now` was taken before the read.
        if row is None:
            self._known.pop(key, None)
            _put(self._unknown, key, now + LIFE)
            return None
        found = known(row)
        _put(self._known, key, (found, now + LIFE))
        return found

    def close(self) -> None:
        self._engine.dispose()


def _put(cache: dict[str, T], key: str, value: T) -> None:
    if len(cache) >= CAPACITY:
        cache.clear()
    cache[key] = value
