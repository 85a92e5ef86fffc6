"""The timed work on the file of the embedded event store: rolling up, merging, sorting.

A request is stored as it comes. `roll` adds it to the rollups within seconds. `maintain` adds it to
the details when there are many or it is old, and once a million have come writes them anew, sorted
by operation: they take a fifth less room so, and a question about one operation finds them beside
each other. Every one of these steps is a transaction, so a reader never sees a request twice.
"""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from .base import MINUTE_US
from .details import DETAILS, MOST_CONSUMERS, MOST_PATHS, WIDTH_US, Detail
from .duckdb_file import REMEMBER_US, DuckDBFile
from .queries import load, named
from .rollups import ROLLUPS

#: Receipts and drops older than this are merged by minute.
RECEIPTS_MERGE_US: Final = 10 * MINUTE_US
#: Tables of which `maintain` merges rows by minute.
BY_MINUTE: Final = ("receipt", "dropped", "process")
#: A step that has not ended is merged so many times while it lasts: each writes all of it anew.
MERGES_A_STEP: Final = 24
#: Requests are detailed when there are so many, or one of them is so old; so many at once at most.
DETAIL_FROM: Final = 131_072
DETAIL_AFTER_US: Final = 2 * WIDTH_US
DETAIL_MOST: Final = 2 * DETAIL_FROM
#: Requests that are added to the rollups at once, while no block can be stored; and how long the
#: lock is left to who waits for it (seconds).
ROLL_MOST: Final = 8 * 122_880
GIVE_WAY: Final = 0.001
#: Requests that are sorted together: eight of DuckDB's row groups.
SETTLE: Final = 8 * 122_880
#: `maintain` takes about so long at most (seconds) for what has piled up.
TURN: Final = 5.0
SUMS: Final = "sum(requests) as requests, sum(duration_us) as duration_us"
#: What the statements that make the details need to know.
DETAIL_WORDS: Final[dict[Detail, dict[str, str]]] = {
    "measures": {
        "measured": load(
            "measured", table="detailing",
            keys="project_id, step_us, operation_id, environment, release,",
        )
    },
    "consumers": {"most": str(MOST_CONSUMERS)},
    "unmatched": {"most": str(MOST_PATHS)},
}  # fmt: skip


class Merge(NamedTuple):
    """A table of steps: what a row is of, beside project and step, and what becomes of the rest."""

    table: str
    width_us: int
    keys: str
    sums: str = SUMS


MERGES: Final = (
    *(Merge(one.table, one.width_us, f"{one.keys}, status, outcome, bucket") for one in ROLLUPS),
    Merge(
        DETAILS["measures"], WIDTH_US, "operation_id, environment, release, measure, bucket",
        "sum(requests) as requests",
    ),
    Merge(
        DETAILS["consumers"], WIDTH_US, "operation_id, environment, release, consumer, bucket",
        f"{SUMS}, sum(errors) as errors",
    ),
    Merge(
        DETAILS["unmatched"], WIDTH_US, "operation_id, environment, release, status, path",
        "sum(requests) as requests, max(last_us) as last_us, "
        "arg_max(consumer, named_us) as consumer, max(named_us) as named_us, "
        "bool_or(several) or min(consumer) is distinct from max(consumer) as several",
    ),
)  # fmt: skip


class DuckDBUpkeep(DuckDBFile):
    """What `jobs.py` has done every few seconds."""

    def roll(self) -> None:
        with self._writing():
            end = self._next_request - 1
        while self._roll_some(end):
            time.sleep(GIVE_WAY)

    def _roll_some(self, end: int) -> bool:
        """Add some requests to the rollups, up to an id; whether more wait."""
        with self._writing():
            rolled = self._meta("rolled")
            if rolled >= end:
                return False
            upto = min(end, rolled + ROLL_MOST)
            ids = {"rolled": rolled, "upto": upto}
            with self._transaction() as connection:
                connection.execute(load("note_called"), ids)
                connection.execute(load("roll_fresh"), ids)
                for rollup in ROLLUPS:
                    words = {"table": rollup.table, "width": str(rollup.width_us)}
                    connection.execute(load("roll", keys=rollup.keys, **words))
                    connection.execute(load("note_unmerged", fresh="fresh", **words))
                connection.execute("drop table fresh")
                connection.execute(
                    "update meta set value = $upto where name = 'rolled'", {"upto": upto}
                )
            self._load_unmerged()
        return upto < end

    def maintain(self, now_us: int) -> None:
        for merge in MERGES:
            statements = load("merge", table=merge.table, keys=merge.keys, sums=merge.sums)
            with self._writing():
                self._merge(merge.table, statements, self._due(merge, now_us))
        closed_us = now_us - RECEIPTS_MERGE_US
        for table in BY_MINUTE:
            statements = load(f"merge_{table}", width=str(MINUTE_US))
            with self._writing():
                closed = [step for step in self._unmerged[table] if step + MINUTE_US <= closed_us]
                self._merge(table, statements, closed)
        with self._writing():
            self._known.forget_silent(now_us - REMEMBER_US)
        until = time.monotonic() + TURN
        while time.monotonic() < until and (self._detail(now_us) or self._settle()):
            pass

    def _due(self, merge: Merge, now_us: int) -> list[int]:
        """The steps of a table that are worth merging now: those that ended, and now and then the
        others."""
        steps = self._unmerged[merge.table]
        if now_us - self._merged_us.get(merge.table, 0) >= merge.width_us // MERGES_A_STEP:
            self._merged_us[merge.table] = now_us
            return list(steps)
        return [step for step in steps if step + merge.width_us <= now_us]

    def _merge(self, table: str, statements: str, steps: Sequence[int]) -> None:
        """Merge the rows of some steps of a table, a key a row."""
        if not steps:
            return
        done = 'delete from unmerged where "table" = $table and list_contains($steps, step_us)'
        with self._transaction() as connection:
            for statement in statements.split(";\n"):
                connection.execute(statement, named(statement, {"steps": steps}))
            connection.execute(done, {"table": table, "steps": steps})
        self._unmerged[table].difference_update(steps)

    # -- details -----------------------------------------------------------------------------------

    def _detail(self, now_us: int) -> bool:
        """Add some requests to the details, if there are enough or one is old; whether it did."""
        with self._writing():
            marks = self._marks()
            waiting = marks["rolled"] - marks["detailed"]
            if not waiting or (waiting < DETAIL_FROM and not self._waits_long(now_us)):
                return False
            self._detail_some(marks)
        return True

    def _waits_long(self, now_us: int) -> bool:
        """Whether a request that is in the rollups and not in the details is old."""
        oldest_us = self._rows(load("undetailed"))[0][0]
        return oldest_us is not None and oldest_us < now_us - DETAIL_AFTER_US

    def _detail_all(self) -> int:
        """Add to the details what is in the rollups, all of it; the newest request there."""
        while (marks := self._marks())["detailed"] < marks["rolled"]:
            self._detail_some(marks)
        return marks["detailed"]

    def _detail_some(self, marks: dict[str, int]) -> None:
        upto = min(marks["rolled"], marks["detailed"] + DETAIL_MOST)
        width = str(WIDTH_US)
        with self._transaction() as connection:
            parameters = {"detailed": marks["detailed"], "upto": upto}
            connection.execute(load("detail_fresh", width=width), parameters)
            for detail, table in DETAILS.items():
                connection.execute(load(f"detail_{detail}", **DETAIL_WORDS[detail]))
                words = {"fresh": "detailing", "table": table, "width": width}
                connection.execute(load("note_unmerged", **words))
            connection.execute("drop table detailing")
            connection.execute(
                "update meta set value = $upto where name = 'detailed'", {"upto": upto}
            )
        self._load_unmerged()

    def _marks(self) -> dict[str, int]:
        return dict(self._rows(load("marks")))

    # -- sorting -----------------------------------------------------------------------------------

    def _settle(self) -> bool:
        """Write the oldest requests that are not sorted yet anew, if there are enough; whether."""
        marks = self._marks()
        upto = marks["settled"] + SETTLE
        if upto > marks["detailed"]:
            return False
        with self._beside() as connection:
            parameters = {"settled": marks["settled"], "upto": upto}
            for statement in load("settle").split(";\n"):
                connection.execute(statement, named(statement, parameters))
            connection.execute(
                "update meta set value = $upto where name = 'settled'", {"upto": upto}
            )
        return True
