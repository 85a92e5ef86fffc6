"""What comes in and what is refused, by key and project: counted in memory, saved by timed work.

A crash loses what was counted since the last `save`, some seconds of the numbers that pages show
and that the month's quota is held against; the requests themselves are in the queue.

Several collectors may share a database. Each writes what it counted itself, and holds quotas
against the sum as it was at its last save; of the processes of a day each knows its own part.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, Engine, case, delete, literal, select, update
from sqlalchemy.exc import SQLAlchemyError

from .keys import KnownKey
from .models import Key, Minute, Project, Refusal, Usage
from .orm import UtcDateTime, upserting
from .quotas import Instances, Over, QuotaReason, Quotas

log = logging.getLogger(__name__)

#: Why the collector refused a batch of a project. A closed list; pages say each in words.
Reason = Literal["revoked_key", "malformed", "too_large", "wrong_type", "busy"] | QuotaReason
#: Refusals this far apart (seconds) are two rows of refusals, not one: longer than a client waits.
PAUSE: Final = 3 * 60
PAUSES: Final[dict[str, int]] = {"month_quota": 2 * 3600, "instances": 2 * 3600}
#: Processes of a project whose refused batch is remembered, and for how long (seconds).
MOST_HELD: Final = 1_000
HELD_LIFE: Final = 2 * 3600


class Burst(NamedTuple):
    """Refusals since the last save."""

    batches: int
    first: float
    last: float


class Held(NamedTuple):
    """A batch that waits in its process for room in a quota."""

    requests: int
    at: float
    reason: str


class Meter:
    """Counts for the collector's event loop; `save` runs in another thread."""

    def __init__(
        self, engine: Engine, now: Callable[[], float] = time.time, *, alone: bool = True
    ) -> None:
        """`alone`: no other meter writes into this database."""
        self._engine = engine
        self._alone = alone
        self._now = now
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._quotas = Quotas()
        self._instances = Instances()
        #: Unsaved: requests and last use by key; refusals by project and reason.
        self._used: dict[int, tuple[int, float]] = {}
        self._refused: dict[tuple[int, str], Burst] = {}
        #: By project and instance: the batch that was refused last.
        self._held: dict[int, dict[str, Held]] = {}
        self._held_saved: dict[tuple[int, str], int] = {}

    def load(self) -> None:
        """Take up the month's counts of the run before. Raises SQLAlchemyError."""
        with self._engine.begin() as connection:
            if self._alone:
                connection.execute(update(Refusal).values(held=0))
            self._quotas.saved(self._totals(connection))

    # -- on the collector's event loop -----------------------------------------------------------

    def admit(self, key: KnownKey, requests: int, instance: str | None = None) -> Over | None:
        """Count so many requests of a key, unless a quota has no room for them: then say which."""
        now = self._now()
        with self._lock:
            over = self._quotas.over(key, requests, now)
            if over is None and instance is not None:
                over = self._instances.over(key.project_id, instance, now)
            if over is None:
                self._quotas.add(key.project_id, requests, now)
        return over

    def take_back(self, key: KnownKey, requests: int) -> None:
        """What was admitted could not be kept."""
        with self._lock:
            self._quotas.add(key.project_id, -requests, self._now())

    def accepted(self, key: KnownKey, requests: int, instance: str | None) -> None:
        """What was admitted is kept."""
        now = self._now()
        with self._lock:
            self._used[key.id] = (self._used.get(key.id, (0, 0.0))[0] + requests, now)
            if instance is not None and key.project_id in self._held:
                self._held[key.project_id].pop(instance, None)

    def refuse(self, key: KnownKey, reason: Reason) -> None:
        """Count a batch that was refused."""
        now = self._now()
        place = (key.project_id, reason)
        with self._lock:
            old = self._refused.get(place, Burst(0, now, now))
            self._refused[place] = Burst(old.batches + 1, old.first, now)

    def hold(self, key: KnownKey, requests: int, instance: str | None, reason: Reason) -> None:
        """Remember a batch that is over a quota: its process keeps it and sends it again."""
        if instance is None:
            return
        with self._lock:
            held = self._held.setdefault(key.project_id, {})
            if len(held) < MOST_HELD or instance in held:
                held[instance] = Held(requests, self._now(), reason)

    # -- timed work ------------------------------------------------------------------------------

    def save(self) -> None:
        """Write what is new. Raises SQLAlchemyError; then it is written the next time."""
        with self._saving:
            with self._lock:
                usage = self._quotas.take()
                used, self._used = self._used, {}
                refused, self._refused = self._refused, {}
                held = self._held_now()
                minutes = {} if self._alone else self._quotas.of_this_minute(self._now())
                told = {place: self._quotas.known_elsewhere(place[0]) for place in minutes}
            changed = {k: n - self._held_saved.get(k, 0) for k, n in held.items()}
            changed |= {k: -self._held_saved[k] for k in self._held_saved.keys() - held.keys()}
            changed = {k: more for k, more in changed.items() if more}
            if not (usage or used or refused or changed or minutes):
                return
            try:
                totals = self._write(usage, used, refused, changed)
            except BaseException:
                with self._lock:
                    self._put_back(used, refused)
                raise
            with self._lock:
                self._quotas.saved(totals)
            self._held_saved = held
            in_minutes = self._exchange({k: n - told[k] for k, n in minutes.items()})
            with self._lock:
                self._quotas.heard(minutes, in_minutes)

    def close(self) -> None:
        """Save for the last time, and give the connections back."""
        if not self._alone:  # others cannot know that this one's are not waited for any more
            with self._lock:
                self._held.clear()
        try:
            self.save()
        except SQLAlchemyError:
            log.warning("The last seconds of what the collector counted are lost", exc_info=True)
        finally:
            self._engine.dispose()

    def _held_now(self) -> dict[tuple[int, str], int]:
        """Requests that wait, by project and reason; what is too old is forgotten."""
        since = self._now() - HELD_LIFE
        found: dict[tuple[int, str], int] = {}
        for project_id, batches in self._held.items():
            for instance, held in list(batches.items()):
                if held.at < since:
                    del batches[instance]
                    continue
                place = (project_id, held.reason)
                found[place] = found.get(place, 0) + held.requests
        return found

    def _put_back(
        self, used: dict[int, tuple[int, float]], refused: dict[tuple[int, str], Burst]
    ) -> None:
        self._quotas.put_back()
        for key, (requests, last) in used.items():
            more, newer = self._used.get(key, (0, last))
            self._used[key] = (requests + more, newer)
        for place, old in refused.items():
            new = self._refused.get(place, old._replace(batches=0))
            self._refused[place] = Burst(old.batches + new.batches, old.first, new.last)

    # -- the database ----------------------------------------------------------------------------

    def _write(
        self,
        usage: dict[tuple[int, str], int],
        used: dict[int, tuple[int, float]],
        refused: dict[tuple[int, str], Burst],
        held: dict[tuple[int, str], int],
    ) -> dict[tuple[int, str], int]:
        """The totals of the month afterwards."""
        # In one order everywhere, so that two meters never wait for each other in a circle.
        with self._engine.begin() as connection:
            for key, (requests, last) in sorted(used.items()):
                connection.execute(
                    update(Key)
                    .where(Key.id == key)
                    .values(used=Key.used + requests, last_used_at=_moment(last))
                )
            there = _existing(connection, (place[0] for place in (*usage, *refused, *held)))
            for (project_id, month), requests in sorted(usage.items()):
                if project_id in there:
                    _add_requests(connection, Usage, requests, project_id=project_id, month=month)
            for (project_id, reason), burst in sorted(refused.items()):
                if project_id in there:
                    _add_refusals(connection, project_id, reason, burst)
            for (project_id, reason), requests in sorted(held.items()):
                more = case((Refusal.held + requests > 0, Refusal.held + requests), else_=0)
                connection.execute(_refusal(project_id, reason).values(held=more))
            return self._totals(connection)

    def _exchange(self, more: dict[tuple[int, int], int]) -> dict[int, int]:
        """Say what came in this minute, and hear what all collectors together accepted of it."""
        if not more:
            return {}
        minute = next(iter(more))[1]
        with self._engine.begin() as connection:
            there = _existing(connection, (project_id for project_id, _ in more))
            for (project_id, _), requests in sorted(more.items()):
                if requests and project_id in there:
                    _add_requests(
                        connection, Minute, requests, project_id=project_id, minute=minute
                    )
            # Older ones are of no use; who just deletes them is not waited for.
            old = select(Minute.project_id).where(Minute.minute < minute - 1)
            if connection.scalar(old.limit(1)) is not None:
                connection.execute(delete(Minute).where(Minute.minute < minute - 1))
            rows = connection.execute(
                select(Minute.project_id, Minute.requests).where(Minute.minute == minute)
            )
            return dict(rows.all())

    def _totals(self, connection: Connection) -> dict[tuple[int, str], int]:
        month = self._quotas.month(self._now()).name
        rows = connection.execute(
            select(Usage.project_id, Usage.requests).where(Usage.month == month)
        )
        return {(project_id, month): requests for project_id, requests in rows}


def _existing(connection: Connection, project_ids: Iterable[int]) -> set[int]:
    """Those of the projects that were not deleted meanwhile."""
    return set(connection.scalars(select(Project.id).where(Project.id.in_(set(project_ids)))))


def _add_requests(
    connection: Connection, counted: type[Usage | Minute], requests: int, **key: Any
) -> None:
    """To what is counted under a key, which are the table's other columns."""
    connection.execute(
        upserting(connection)(counted)
        .values(**key, requests=requests)
        .on_conflict_do_update(
            index_elements=tuple(key), set_={"requests": counted.requests + requests}
        )
    )


def _add_refusals(connection: Connection, project_id: int, reason: str, burst: Burst) -> None:
    first, last = _moment(burst.first), _moment(burst.last)
    row = {"project_id": project_id, "reason": reason, "batches": burst.batches}
    begins_anew = Refusal.last_at < first - timedelta(seconds=PAUSES.get(reason, PAUSE))
    connection.execute(
        upserting(connection)(Refusal)
        .values(**row, since=first, last_at=last, held=0)
        .on_conflict_do_update(
            index_elements=(Refusal.project_id, Refusal.reason),
            set_={
                "batches": Refusal.batches + burst.batches,
                "last_at": last,
                "since": case((begins_anew, literal(first, UtcDateTime)), else_=Refusal.since),
            },
        )
    )


def _refusal(project_id: int, reason: str) -> Any:
    return update(Refusal).where(Refusal.project_id == project_id, Refusal.reason == reason)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
