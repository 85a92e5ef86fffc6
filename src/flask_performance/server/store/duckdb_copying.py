"""What an embedded store holds, as rows of ClickHouse's tables: the near side of `copy-store`.

Rows are taken by the day of their time, and of a day in pieces that memory has room for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import duckdb
import numpy as np

from .base import DAY_US, MINUTE_US
from .block import Declaration, InstanceKey, OperationKey
from .clickhouse.columns import instance_id, operation_id
from .details import DETAILS
from .duckdb_file import RAW_FROM
from .queries import load, named
from .rollups import OPERATIONS, TOTALS

#: About so many rows are read at once.
PIECE: Final = 100_000
#: The day (since 1970) of a time, before 1970 as well.
DAY_NUMBER: Final = f"""
    create or replace temp macro day_number(us) as
    (us - (us % {DAY_US} + {DAY_US}) % {DAY_US}) // {DAY_US}
"""
#: A time that holds everything.
EVER: Final = {"from_us": -(2**63), "to_us": 2**63 - 1}
Columns = dict[str, list[Any]]


class Part(NamedTuple):
    """A table that is copied day by day."""

    table: str
    time: str
    statement: str
    #: What is added up to compare.
    total: str


PARTS: Final = (
    *(Part(one.table, "start_us", "copy_rollup", "requests") for one in OPERATIONS),
    *(Part(one.table, "start_us", "copy_total", "requests") for one in TOTALS),
    *(Part(table, "start_us", f"copy_{detail}", "requests") for detail, table in DETAILS.items()),
    Part("receipt", "received_us", "copy_receipt", "stored"),
    Part("dropped", "received_us", "copy_dropped", "requests + total"),
    Part("process", "at_us", "copy_process", "at_us"),
    Part("request", "start_us", "copy_request", "duration_us"),
)


class Unit(NamedTuple):
    """A day of a part: its rows, and a mark that changes with any of them."""

    rows: int
    mark: str


class Source:
    """On a connection to a store that is at rest, rolled up and detailed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute(DAY_NUMBER)
        self.operations = self._keys("operation", OperationKey)
        self.instances = self._keys("instance", InstanceKey)
        self._hashed("operation", {id: operation_id(key) for id, key in self.operations.items()})
        self._hashed("instance", {id: instance_id(key) for id, key in self.instances.items()})

    def _keys(self, table: str, kind: type[Any]) -> dict[int, Any]:
        names = kind.__struct_fields__
        rows = self._rows(f"select id, {', '.join(names)} from {table} order by id")  # noqa: S608  # nosec B608
        return {id: kind(**dict(zip(names, values, strict=True))) for id, *values in rows}

    def _hashed(self, table: str, ids: Mapping[int, int]) -> None:
        columns = {
            "id": np.fromiter(ids, "i8", len(ids)),
            "hashed": np.fromiter(ids.values(), "i8", len(ids)),
        }
        self._connection.register("hashes", columns)
        self._connection.execute(
            f"create or replace temp table hashed_{table} as "  # noqa: S608  # nosec B608
            f"select t.*, h.hashed from {table} t join hashes h on h.id = t.id"
        )
        self._connection.unregister("hashes")

    def _rows(self, statement: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        which = named(statement, dict(parameters or {}))
        return self._connection.execute(statement, which).fetchall()

    # -- by day ----------------------------------------------------------------------------------

    def units(self, part: Part) -> dict[int, Unit]:
        """By their days, in order."""
        rows = self._rows(load("copy_units", table=part.table, time=part.time))
        return {day: Unit(count, f"{count}-{mark}") for day, count, mark in rows}

    def pieces(self, part: Part, day: int) -> Iterator[tuple[int, Columns]]:
        """The rows of a day, and of how many of the store's own they are made."""
        whole = {"from_us": day * DAY_US, "to_us": (day + 1) * DAY_US}
        minutes = self._rows(load("copy_minutes", table=part.table, time=part.time), whole)
        statement = load(part.statement, table=part.table)
        for rows, first, last in _packed(minutes):
            window = {"from_us": first * MINUTE_US, "to_us": (last + 1) * MINUTE_US}
            found = self._connection.execute(statement, window).fetchnumpy()
            yield rows, {name: column.tolist() for name, column in found.items()}

    def counts(self, part: Part) -> dict[tuple[int, int], tuple[int, int]]:
        """By project and day: rows as they are copied, and the sum of `Part.total`."""
        rows = load(part.statement, table=part.table)
        statement = load("copy_counts", time=part.time, total=part.total, rows=rows)
        return {
            (project_id, day): (count, int(total))
            for project_id, day, count, total in self._rows(statement, EVER)
        }

    # -- as a whole ------------------------------------------------------------------------------

    def first_us(self) -> Sequence[int]:
        """When each instance was first heard."""
        return [
            first_us or 0 for (first_us,) in self._rows("select first_us from instance order by id")
        ]

    def called(self) -> Columns:
        """When operations were called last."""
        rows = self._rows("select id, last_us from operation where last_us is not null order by id")
        keys = [self.operations[id] for id, _ in rows]
        return {
            "project_id": [key.project_id for key in keys],
            "operation_id": [operation_id(key) for key in keys],
            "last_us": [max(0, last_us) for _, last_us in rows],
        }

    def raw_from(self) -> Columns:
        """From when on a project's single requests are there."""
        rows = self._rows(
            "select name, value from meta where starts_with(name, $name)", {"name": RAW_FROM}
        )
        return {
            "project_id": [int(name.removeprefix(RAW_FROM)) for name, _ in rows],
            "from_us": [max(0, at_us) for _, at_us in rows],
        }

    def declared(self) -> Iterator[tuple[InstanceKey, Declaration]]:
        """Routes, each declared for the first and for the last time."""
        names = "project_id, app, environment, release, method, rule, endpoint, first_us, last_us"
        for project_id, app, environment, release, *route, first_us, last_us in self._rows(
            f"select {names} from route"  # noqa: S608  # nosec B608
        ):
            key = InstanceKey(
                project_id=project_id, wire_id="", environment=environment, release=release
            )
            for at_us in (first_us, last_us):
                yield (
                    key,
                    Declaration(
                        instance=0,
                        received_us=at_us,
                        app=app,
                        routes=[(route[0], route[1], route[2])],
                    ),
                )


def _packed(minutes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Minutes that follow each other, so many that they have enough rows: rows, first and last."""
    rows, first = 0, None
    for place, (minute, count) in enumerate(minutes):
        first = minute if first is None else first
        rows += count
        if rows >= PIECE or place == len(minutes) - 1:
            yield rows, first, minute
            rows, first = 0, None
