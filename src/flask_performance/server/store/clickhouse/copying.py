"""Rows that come from an embedded store: the far side of `copy-store`.

They belong to no attempt, so that nothing rolls them up again: their attempts and rolls are below
all others, and count at once. Which days are there says the table `copied`; a day that is not, and
one that has changed since, is deleted and copied anew, so that nothing is there twice.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from flask_performance.server.store.base import DAY_US
from flask_performance.server.store.block import Declaration, InstanceKey, OperationKey

from . import columns
from .attempts import COPIED_BELOW, COPIED_DAY_BITS, EPOCH, PLACE_BITS, TRACES, Attempts
from .layout import Layout
from .queries import filled, statement

#: Attempts and rolls of copied rows: the number of their day, and far below zero.
FAR_BELOW: Final = 2**40
FIRST_DAY: Final = date(1970, 1, 1)
EPOCH_DAY: Final = EPOCH // 86_400
#: Rows that are written at once where a table is not copied day by day.
TOGETHER: Final = 50_000
#: In `copied`: which installation it is that is copied.
SOURCE: Final = "source"
Columns = dict[str, list[Any]]


class Intake:
    """A ClickHouse store that takes what another one held."""

    def __init__(self, layout: Layout) -> None:
        self._engine = layout.engine
        self._attempts = Attempts(layout.engine, layout.shards, layout.local)

    # -- what is there ---------------------------------------------------------------------------

    def source(self) -> str | None:
        """Which installation was copied, so far as it got."""
        found = self._copied(SOURCE)
        return found[0] if found else None

    def note_source(self, source: str) -> None:
        self.note(SOURCE, 0, source, 0)

    def is_empty(self) -> bool:
        _, [ids] = self._engine.ask(statement("project_ids"))
        return not ids

    def done(self, table: str) -> dict[int, str]:
        """The days of a table that are there, each with the mark that it had."""
        return {day: mark for day, mark in self._copied(table).items() if mark}

    def _copied(self, part: str) -> dict[int, str]:
        _, found = self._engine.ask(filled(statement("copied"), {"part": part}))
        return dict(zip(*found, strict=True))

    def counts(
        self, table: str, time_column: str, total: str
    ) -> dict[tuple[int, int], tuple[int, int]]:
        """Of what was copied, by project and day: rows, and a sum."""
        words = {"table": table, "time": time_column, "total": total, "copied": _is_copied(table)}
        _, found = self._engine.ask(filled(statement("copied_counts", **words), {"day_us": DAY_US}))
        return {
            (project_id, day): (count, int(sum_))
            for project_id, day, count, sum_ in zip(*found, strict=True)
        }

    # -- by day ----------------------------------------------------------------------------------

    def clear(self, table: str, time_column: str, day: int) -> None:
        """Delete what was copied of a day."""
        self._attempts.delete_rows(
            table,
            f"{_is_copied(table)} and {time_column} >= {day * DAY_US} "
            f"and {time_column} < {(day + 1) * DAY_US}",
        )

    def write(self, table: str, day: int, rows: Columns) -> None:
        """Rows of a day. `request.id` is the one that the embedded store has."""
        count = len(rows["project_id"])
        if table == "request":
            stored = min(max(day, EPOCH_DAY), _today())
            above = (stored - EPOCH_DAY + 1) << (COPIED_DAY_BITS + PLACE_BITS)
            rows = rows | {"id": [above + id for id in rows["id"]]}
        else:
            stored = min(max(day, 0), _today())
            rows = rows | {TRACES[table]: [day - FAR_BELOW] * count}
        if table in DATED:
            rows = rows | {"day": [FIRST_DAY + timedelta(days=stored)] * count}
        known = {name: values for name, values in rows.items() if not _unknown(values)}
        self._engine.insert(table, known)

    def note(self, table: str, day: int, mark: str, rows: int) -> None:
        """A day is there, all of it; with an empty mark: it is not any more."""
        row = {"part": table, "at_day": day, "mark": mark, "rows": rows, "version": time.time_ns()}
        self._engine.insert("copied", {name: [value] for name, value in row.items()})

    # -- as a whole: rows that are written again replace each other -------------------------------

    def write_operations(self, keys: Mapping[int, OperationKey]) -> None:
        """By their ids in the embedded store, which say what was seen first."""
        found = columns.operation_columns(
            {columns.operation_id(key): key for key in keys.values()}, 0
        )
        self._write("operation", found | _seen(keys))

    def write_instances(self, keys: Mapping[int, InstanceKey], first_us: Iterable[int]) -> None:
        found = columns.instance_columns(
            {columns.instance_id(key): key for key in keys.values()}, first_us, 0
        )
        self._write("instance", found | _seen(keys))

    def write_routes(self, declared: Iterable[tuple[InstanceKey, Declaration]]) -> None:
        rows: Columns = {}
        for key, said in declared:
            for name, values in columns.route_columns(key, said, set(), len(said.routes)).items():
                rows.setdefault(name, []).extend(values)
        self._write("route", rows)

    def write_called(self, rows: Columns) -> None:
        self._write("called", rows)

    def write_raw_from(self, rows: Columns) -> None:
        self._write("raw_from", rows)

    def _write(self, table: str, rows: Columns) -> None:
        count = len(next(iter(rows.values()), []))
        for place in range(0, count, TOGETHER):
            some = {name: values[place : place + TOGETHER] for name, values in rows.items()}
            self._engine.insert(table, some)

    def note_changes(self, project_ids: Collection[int]) -> None:
        """Answers that were given before hold no longer."""
        if project_ids:
            ids = sorted(project_ids)
            self._engine.insert("revision", {"project_id": ids, "changes": [1] * len(ids)})


#: Tables with a column for the day of storing: all that are copied by day.
DATED: Final = frozenset(TRACES)


def _is_copied(table: str) -> str:
    return f"{TRACES[table]} < {COPIED_BELOW if table == 'request' else 0}"


def _unknown(values: list[Any]) -> bool:
    return values[0] is None and all(value is None for value in values)


def _seen(keys: Mapping[int, object]) -> Columns:
    return {"seen": list(keys), "version": [columns.OLDEST - id for id in keys]}


def _today() -> int:
    return (datetime.now(UTC).date() - FIRST_DAY).days
