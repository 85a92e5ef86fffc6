"""Which message a batch is stored with, decided once, however many workers there are.

A batch may come in two messages: its client heard nothing and sent it again, perhaps to another
collector. Both may be at workers at the same moment, and the event store cannot compare and set.
So each worker claims here, durably and before anything is stored: whoever came first has the batch
for ever, also when the message comes again after a crash. Claims are kept for `KEPT`; whether an
older batch is stored, the event store is asked.
"""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine, delete, func, select, text

from .models import Claim, now
from .orm import upserting

KEPT: Final = timedelta(days=2)
#: So many old claims go at once.
SWEPT: Final = 50_000
#: Who waits for another worker with the same message waits so long (seconds).
PATIENCE: Final = 8

#: Project id, instance's wire id, number.
Batch = tuple[int, str, int]


class Claims:
    """For any number of threads and processes. Raises SQLAlchemyError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, message: str, batches: Collection[Batch]) -> tuple[set[Batch], bool]:
        """Those of the batches that are another message's; whether this one is `spoilt`."""
        by_key = {_key(*batch): batch for batch in batches}
        spoilt, mine = _key("spoilt", message), bytes.fromhex(message)
        rows = [{"batch": key, "block": mine, "at": now()} for key in sorted(by_key)]
        with self._engine.begin() as connection:
            if rows:
                connection.execute(upserting(connection)(Claim).on_conflict_do_nothing(), rows)
            found = connection.execute(
                select(Claim.batch, Claim.block).where(Claim.batch.in_([*by_key, spoilt]))
            ).all()
        return {by_key[key] for key, block in found if block != mine}, spoilt in dict(found)

    def spoil(self, message: str) -> None:
        """From now on its envelopes are stored one by one, whoever gets it."""
        row = {"batch": _key("spoilt", message), "block": bytes.fromhex(message), "at": now()}
        with self._engine.begin() as connection:
            connection.execute(upserting(connection)(Claim).values(row).on_conflict_do_nothing())

    @contextmanager
    def alone(self, message: str) -> Iterator[None]:
        """Nobody else stores this message meanwhile; whoever does is waited for a little."""
        with self._engine.begin() as connection:
            connection.execute(text(f"SET LOCAL statement_timeout = '{PATIENCE}s'"))
            lock = int.from_bytes(bytes.fromhex(message)[:8], "big", signed=True)
            connection.execute(select(func.pg_advisory_xact_lock(lock)))
            yield

    def forget(self) -> None:
        """Timed work."""
        before = now() - KEPT
        old = select(Claim.batch).where(Claim.at < before).limit(SWEPT)
        while True:
            with self._engine.begin() as connection:
                gone = connection.execute(delete(Claim).where(Claim.batch.in_(old))).rowcount
            if gone < SWEPT:
                return


def _key(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()
