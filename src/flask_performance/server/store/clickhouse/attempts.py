"""Attempts: what makes several rows in several tables count together, or not at all."""

import hashlib
import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from flask_performance.server.store.base import StoreUnavailableError
from flask_performance.server.store.details import DETAILS
from flask_performance.server.store.rollups import ROLLUPS

from .engine import Engine
from .queries import filled, statement
from .schema import everywhere

#: Numbers count quarters of a millisecond since this moment (seconds): 43 bits last until 2094.
EPOCH: Final = 1_735_689_600  # 2025-01-01
A_SECOND: Final = 4_000
#: Requests of an attempt: their place in it is the last bits of their id.
PLACE_BITS: Final = 20
#: Requests that were copied from an embedded store belong to no attempt. What their ids have in its
#: place is below all attempts: the number of a day since EPOCH, from 1 on, above so many bits.
COPIED_DAY_BITS: Final = 18
COPIED_BELOW: Final = 2**31
BLOCK, ROLL, VOID, LEFT, OPEN = 0, 1, 2, 3, 9
#: An attempt may take so long (seconds) …
LONGEST: Final = 120
#: … one that takes longer than this was seen to hang by readers, and its rows are left out …
HANGING: Final = 10 * A_SECOND
#: … and after this it is dead, and timed work deletes what it left, of so many at once.
DEAD: Final = 300
AT_ONCE: Final = 1000
#: How often it is asked whether a deletion is done, and for how long (seconds).
POLL: Final = 0.02
DELETION: Final = 110
#: Tables whose rows carry their attempt, and in which column.
TRACES: Final = {
    "request": "bitShiftRight(id, 20)",
    **dict.fromkeys(("receipt", "dropped", "process"), "attempt"),
    **dict.fromkeys((*(rollup.table for rollup in ROLLUPS), *DETAILS.values()), "roll"),
}
ROLLED: Final = "roll"


def hashed(*parts: object) -> int:
    """A number of 63 bits that stands for some texts and numbers, the same everywhere."""
    said = "\0".join("\1" if part is None else str(part) for part in parts)
    digest = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 or 1


def number_now() -> int:
    """What an attempt that begins now is called, unless others have the number."""
    return int((time.time() - EPOCH) * A_SECOND)


def day_of(attempt: int) -> date:
    """The day (UTC) of an attempt, and of requests that were copied."""
    if 0 < attempt < COPIED_BELOW:
        first = datetime.fromtimestamp(EPOCH, UTC).date()
        return first + timedelta(days=(attempt >> COPIED_DAY_BITS) - 1)
    return (datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=attempt / A_SECOND)).date()


class Begun(NamedTuple):
    """An attempt at a block, and the earlier ones that it takes the place of."""

    attempt: int
    instead_of: list[int]


class Fresh(NamedTuple):
    """A block that is stored and in no rollup: its attempt, and when its requests began."""

    attempt: int
    first_us: int
    last_us: int


class Open(NamedTuple):
    """An attempt that has not ended, at a block or at rolling up, and its age in seconds."""

    attempt: int
    block: int
    age: int


class State(NamedTuple):
    """What is committed at a moment."""

    fresh: list[Fresh]
    open: list[Open]
    #: What was left for a new attempt at the same block, and is not deleted yet.
    left: list[int]
    #: Rollups count up to these attempts: those by minute, and coarser ones, made of minutes …
    minutes: int
    coarse: int
    #: … up to this.
    upto: int
    #: The newest attempt that is known of.
    newest: int

    @property
    def garbage(self) -> tuple[int, ...]:
        """What hangs or was left, and does not count."""
        hanging = (one.attempt for one in self.open if one.attempt < self.newest - HANGING)
        return (*hanging, *self.left)

    @property
    def unfinished(self) -> tuple[int, ...]:
        """All that may have rows and is not committed."""
        return (*(one.attempt for one in self.open), *self.left)

    @property
    def parameters(self) -> dict[str, Any]:
        """By the names that statements have for it."""
        fresh = tuple(one.attempt for one in self.fresh)
        return {
            "garbage": self.garbage,
            "fresh": fresh,
            "fresh_day": f"{day_of(min(fresh, default=self.newest)) - timedelta(days=1)}",
            "minutes": self.minutes,
            "coarse": self.coarse,
            "upto": self.upto,
            "late_day": f"{day_of(self.upto)}",
        }


class Attempts:
    """The tables `begun` and `commit` of a store."""

    def __init__(self, engine: Engine, shards: Sequence[Engine], local: str) -> None:
        self._engine = engine
        self._shards = shards
        self._local = local
        self._lock = threading.Lock()
        self._last = 0

    def state(self) -> State:
        _, columns = self._engine.ask(statement("state"))
        stored: list[Fresh] = []
        open_: list[Open] = []
        left: set[int] = set()
        deleted: set[int] = set()
        replaced: set[int] = set()
        rolled: set[int] = set()
        far = [0, 0, 0]
        newest = 0
        for kind, attempt, first_us, last_us, covered, *counting in zip(*columns, strict=True):
            newest = max(newest, attempt)
            if kind == BLOCK:
                stored.append(Fresh(attempt, first_us, last_us))
                replaced.update(covered)
            elif kind == ROLL:
                rolled.update(covered)
                far = [max(pair) for pair in zip(far, counting, strict=True)]
            elif kind == OPEN:
                open_.append(Open(attempt, first_us, last_us))
            else:
                (left if kind == LEFT else deleted).add(attempt)
        # What was left counts if it was being committed all the same, and nothing took its place.
        left -= deleted | ({one.attempt for one in stored} - replaced)
        fresh = [one for one in stored if one.attempt not in rolled and one.attempt not in left]
        minutes, coarse, upto = far
        return State(fresh, open_, sorted(left), minutes, coarse, upto, newest)

    def begin(self, block: str) -> Begun | None:
        """A new attempt at a block; None: it is stored. What earlier ones left does not count from
        now on; nobody waits until it is deleted, for which all replicas must be well."""
        hash = hashed("block", block or secrets.token_hex(16))
        attempt = self._begun(hash)
        others = self._others(attempt, hash)
        if unended := [other for other, end in others.items() if end == OPEN]:
            # When this is written, a commit of theirs that was on its way to a quorum is there, or
            # never will be. (One that a server takes up later even, does not count beside ours.)
            self._end(unended, LEFT)
            others = self._others(attempt, hash)
        if BLOCK in others.values():
            self._end([attempt], VOID)
            return None
        return Begun(attempt, [other for other, end in others.items() if end != VOID])

    def _others(self, attempt: int, hash: int) -> dict[int, int]:
        """How other attempts at a block ended."""
        return {
            other: end
            for other, whose, end in self._attempts(attempt, hash)
            if other != attempt and whose == hash
        }

    def begin_roll(self) -> int | None:
        """A new attempt at rolling up; None: another process is at it."""
        hash = hashed(ROLLED)
        attempt = self._begun(hash)
        for other in self.state().open:
            if other.block != hash or other.attempt == attempt:
                continue
            if other.age < DEAD:
                self._end([attempt], VOID)
                return None
            self.delete([other.attempt])
        return attempt

    def _begun(self, hash: int) -> int:
        while True:
            with self._lock:
                self._last = attempt = max(number_now(), self._last + 1)
            self._engine.insert("begun", {"attempt": [attempt], "block": [hash]})
            same = [one for one in self._attempts(attempt, hash) if one[0] == attempt]
            if len(same) == 1:
                return attempt
            # Another process has the same number: whoever sees that takes another one.

    def _attempts(self, attempt: int, hash: int) -> Iterable[tuple[int, int, int]]:
        asked = filled(statement("attempts"), {"attempt": attempt, "block": hash})
        return list(zip(*self._engine.ask(asked)[1], strict=True))

    def commit(self, attempt: int, kind: int, **values: Any) -> None:
        """From now on it counts. Raises StoreUnavailableError where it took too long."""
        if time.time() - EPOCH - attempt / A_SECOND > LONGEST:
            raise StoreUnavailableError("ClickHouse took too long to store a block")
        empty = {"first_us": 0, "last_us": 0, "covered": [], "minutes": 0, "coarse": 0, "upto": 0,
                 "low": 0}  # fmt: skip
        row = {"attempt": attempt, "kind": kind} | empty | values
        self._engine.insert("commit", {name: [value] for name, value in row.items()})

    def _end(self, attempts: Sequence[int], kind: int) -> None:
        """They have ended without anything to count."""
        self._engine.insert("commit", {"attempt": list(attempts), "kind": [kind] * len(attempts)})

    def clean(self) -> None:
        """Delete what dead attempts left, the oldest first."""
        state = self.state()
        dead = [one.attempt for one in state.open if one.age > DEAD]
        # Something of theirs may have been on its way still when they were left.
        dead += [one for one in state.left if number_now() - one > DEAD * A_SECOND]
        if dead:
            self.delete(sorted(dead)[:AT_ONCE])

    def delete(self, attempts: Sequence[int]) -> None:
        """Delete what attempts left that never will be committed."""
        for table, trace in TRACES.items():
            self.delete_rows(table, filled(f"{trace} in $attempts", {"attempts": tuple(attempts)}))
        self._end(attempts, VOID)

    def delete_rows(self, table: str, condition: str) -> bool:
        """Delete rows, wherever they are, and wait for it; whether there were any."""
        _, [[count]] = self._engine.ask(f"select count() from {table} where {condition}")  # noqa: S608  # nosec B608
        if not count:
            return False
        whole = table in everywhere()
        name = table if whole else f"{table}{self._local}"
        # What every server has as a whole, is deleted on one of them.
        shards = self._shards[:1] if whole else self._shards
        for shard in shards:
            shard.do(f"alter table {name} delete where {condition}")
        if whole and self._local:
            # The last part that was written with a quorum is left alone until there is another.
            column = "attempt" if table in ("begun", "commit") else "project_id"
            self._engine.insert(table, {column: [0]})
        deadline = time.monotonic() + DELETION
        while time.monotonic() < deadline:
            if not any(_deleting(shard, name) for shard in shards):
                return True
            time.sleep(POLL)
        raise StoreUnavailableError(f"ClickHouse takes long to delete rows of {table}")


def _deleting(shard: Engine, table: str) -> bool:
    _, [[count]] = shard.ask(
        "select count() from system.mutations where is_done = 0 and "  # noqa: S608  # nosec B608
        f"database = currentDatabase() and table = '{table}'"
    )
    return bool(count)
