"""What workers count, added up in the accounts' database.

They are many, and come and go; whoever reads metrics asks one address. Each counts in memory and
saves once a second. A worker that is killed takes its last second of counts with it, never a
request.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, case, select
from sqlalchemy.exc import SQLAlchemyError

from .models import Tally, now
from .orm import upserting

log = logging.getLogger(__name__)

#: Seconds between two saves.
PACE: Final = 1.0

#: What is counted, and of which of its kind: a job, an event; empty where there is one kind only.
Name = tuple[str, str]


class Told(NamedTuple):
    """What all workers together counted, and when the last of it came (seconds since the epoch)."""

    total: int
    at: float


class Tallies:
    """The counts of one process. Any thread may add; one of its own saves."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._fresh: Counter[Name] = Counter()
        self._reached: dict[Name, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tallies", daemon=True)
        self._thread.start()

    def add(self, name: str, label: str = "", more: int = 1) -> None:
        with self._lock:
            self._fresh[name, label] += more

    def reach(self, name: str, value: int) -> None:
        """Of this only the greatest value counts."""
        with self._lock:
            self._reached[name, ""] = max(value, self._reached.get((name, ""), value))

    def save(self) -> None:
        """Raises SQLAlchemyError; then it is saved the next time."""
        with self._lock:
            fresh, self._fresh = self._fresh, Counter()
            reached = dict(self._reached)
        try:
            self._write(fresh, reached)
        except BaseException:
            with self._lock:
                self._fresh.update(fresh)
            raise

    def close(self) -> None:
        """Save for the last time."""
        self._stopping.set()
        self._thread.join(2 * PACE)

    def _run(self) -> None:
        ends = False
        while not ends:
            ends = self._stopping.wait(PACE)
            try:
                self.save()
            except SQLAlchemyError:
                log.debug("What was counted is saved later", exc_info=True)

    def _write(self, fresh: Mapping[Name, int], reached: Mapping[Name, int]) -> None:
        if not fresh:
            return
        totals: dict[Name, tuple[int, Any]] = {
            name: (more, Tally.total + more) for name, more in fresh.items()
        }
        for reach, value in reached.items():
            totals[reach] = value, case((Tally.total < value, value), else_=Tally.total)
        # In one order everywhere, so that two workers never wait for each other in a circle.
        with self._engine.begin() as connection:
            for (name, label), (first, total) in sorted(totals.items(), key=itemgetter(0)):
                row = {"name": name, "label": label, "total": first, "at": now()}
                connection.execute(
                    upserting(connection)(Tally)
                    .values(row)
                    .on_conflict_do_update(
                        index_elements=(Tally.name, Tally.label),
                        set_={"total": total, "at": row["at"]},
                    )
                )


def read_tallies(engine: Engine) -> dict[Name, Told]:
    """Raises SQLAlchemyError."""
    with engine.connect() as connection:
        rows = connection.execute(select(Tally.name, Tally.label, Tally.total, Tally.at))
        return {(name, label): Told(total, at.timestamp()) for name, label, total, at in rows}
