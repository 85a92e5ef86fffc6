"""How often something happened lately, counted by several processes together in their database.

Keys are kept as hashes: they hold what people typed. Only posts of forms that can be guessed at
come here, so that a row each is cheap. What no limit needs any more goes with what comes.
"""

import hashlib
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, select

from .models import Happening, db, now
from .recent import Limit

#: Of the old ones so many go with each new one.
SWEPT: Final = 100


class Happenings:
    """Counts by key, as `Recent` does. Needs an app context.

    It writes beside the page's transaction, which may be rolled back.
    """

    def add(self, key: Hashable, limit: Limit) -> None:
        """It happened now."""
        at = now()
        old = select(Happening.id).where(Happening.until < at).limit(SWEPT)
        until = at + timedelta(seconds=limit.seconds)
        with db.engine.begin() as connection:
            connection.execute(delete(Happening).where(Happening.id.in_(old)))
            connection.execute(insert(Happening).values(key=_hash(key), at=at, until=until))

    def wait(self, key: Hashable, limit: Limit) -> float:
        """Seconds until it may happen again; 0 when it may now."""
        oldest = self._at(key, limit.count - 1)
        if oldest is None:
            return 0.0
        return max(0.0, limit.seconds - (now() - oldest).total_seconds())

    def happened(self, key: Hashable, seconds: float) -> bool:
        """Whether it happened within so many seconds."""
        newest = self._at(key, 0)
        return newest is not None and (now() - newest).total_seconds() < seconds

    def forget(self, key: Hashable) -> None:
        with db.engine.begin() as connection:
            connection.execute(delete(Happening).where(Happening.key == _hash(key)))

    def _at(self, key: Hashable, before: int) -> datetime | None:
        """When the one happened that so many came after."""
        query = select(Happening.at).where(Happening.key == _hash(key))
        with db.engine.connect() as connection:
            return connection.scalar(query.order_by(Happening.at.desc()).offset(before).limit(1))


def _hash(key: Hashable) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()
