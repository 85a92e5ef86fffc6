"""The questions of the event store, answered by DuckDB. SQL stands in `sql/`, a file a question."""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import duckdb
import msgspec

from flask_performance.wire import OUTCOMES

from .base import (
    DAY_US,
    MEASURES,
    SILENT_US,
    ConsumerStats,
    EventStore,
    Filter,
    Heatmap,
    LedgerTotals,
    Measure,
    OperationStats,
    Page,
    Point,
    Pulse,
    RequestRow,
    Spread,
    Stats,
    StatusStats,
    StoreUnavailableError,
    Thresholds,
    UnknownCursorError,
    UnmatchedPath,
)
from .block import OperationKey
from .conditions import ENVIRONMENT_IS, OWN_THRESHOLD, RELEASE_IS, SINGLE_TERMS, TERMS
from .queries import load, named
from .rollups import OPERATIONS, SIX_US
from .statistics import (
    NOTHING,
    Columns,
    empty_point,
    grouped_points,
    grouped_stats,
    heatmap_of,
    regrouped,
    spread_of,
)
from .window import parts, statuses

#: The tier of a table with requests.
TIERS: Final = {"request": "raw", "rollup_minute": "minutes", "rollup_hour": "hours"}
#: Not enough memory for a question, a disk that does not answer, a file that is being closed.
AWAY = (
    duckdb.OutOfMemoryException,
    duckdb.IOException,
    duckdb.ConnectionException,
    duckdb.FatalException,
)
#: After everything: where a list begins.
NO_CURSOR = (2**63 - 1, 2**63 - 1)
#: Start and id of the last row, both of which fit 63 bits.
CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class AwayError(StoreUnavailableError, duckdb.Error):
    """For readers the store is unavailable; the writing half, which reads too, mends it."""


class Sql(NamedTuple):
    """A piece of a statement and the parameters that it names."""

    sql: str
    parameters: dict[str, Any]


#: Nobody asked for Apdex.
NOT_JUDGED = Sql("", {})


class DuckDBReader(EventStore):
    """The reading half of `DuckDBStore`, but for the questions about processes."""

    _connection: duckdb.DuckDBPyConnection
    _operations: dict[OperationKey, int]
    _revisions: dict[int, int]
    #: By project: single requests from before are deleted.
    _raw_from: dict[int, int]
    #: The projects that something is being stored for, or deleted from.
    _changing: frozenset[int] = frozenset()
    #: The last question of `_steps` and its answer.
    _last_steps: tuple[tuple[Filter, int, int], Columns] | None = None

    def revision(self, project_id: int) -> int:
        return self._revisions.get(project_id, 0)

    def summary(self, filter: Filter, thresholds: Thresholds | None = None) -> Stats:
        columns = self._histogram("0", filter, thresholds=thresholds)
        return grouped_stats(columns).get(0, NOTHING)

    def _histogram(
        self,
        group: str,
        filter: Filter,
        project_ids: Sequence[int] | None = None,
        thresholds: Thresholds | None = None,
    ) -> Columns:
        """The histogram of every group, which is an expression over a request's columns."""
        judged = NOT_JUDGED if thresholds is None else self._judged(filter.project_id, thresholds)
        # Operations' own thresholds need to know whose a request is, and where there are few
        # requests a threshold is met exactly as long as they are not put together.
        exact = thresholds is not None and filter.end_us - filter.start_us < DAY_US
        by_operation = exact or "operation_id" in f"{group} {judged.sql}"
        cells = self._cells(filter, project_ids, together=not by_operation)
        statement = load("histogram", group=group, judged=judged.sql, cells=cells.sql)
        return self._columns(statement, cells.parameters | judged.parameters)

    def _judged(self, project_id: int, thresholds: Thresholds) -> Sql:
        """The columns that count for Apdex."""
        parameters: dict[str, Any] = {"apdex_us": thresholds.us}
        own = {
            self._operations[key]: us
            for key in list(self._operations)
            if key.project_id == project_id
            for method, route, us in thresholds.own
            if (key.method, key.route) == (method, route)
        }
        if not own:
            return Sql(load("apdex", threshold="$apdex_us"), parameters)
        parameters |= {"own_operations": list(own), "own_us": list(own.values())}
        return Sql(load("apdex", threshold=OWN_THRESHOLD), parameters)

    def operations(
        self, filter: Filter, thresholds: Thresholds | None = None
    ) -> list[OperationStats]:
        columns = self._histogram("operation_id", filter, thresholds=thresholds)
        return self._operation_stats(columns, [filter.project_id])[filter.project_id]

    def operations_of(
        self, project_ids: Sequence[int], start_us: int, end_us: int
    ) -> dict[int, list[OperationStats]]:
        filter = Filter(project_id=0, start_us=start_us, end_us=end_us)
        columns = self._histogram("operation_id", filter, project_ids)
        return self._operation_stats(columns, project_ids)

    def _operation_stats(
        self, columns: Columns, project_ids: Sequence[int]
    ) -> dict[int, list[OperationStats]]:
        """From histograms by operation to the operations of each project, most time first."""
        # Read after the question, so that every operation that it found is there; an endpoint that
        # was renamed does not split an operation, and the newest name is shown.
        found: dict[int, list[OperationStats]] = {project_id: [] for project_id in project_ids}
        keys = sorted(
            (id, key) for key, id in list(self._operations.items()) if key.project_id in found
        )
        newest = {(key.project_id, key.method, key.route): (id, key) for id, key in keys}
        group_of = {id: newest[key.project_id, key.method, key.route][0] for id, key in keys}
        key_of = dict(newest.values())
        for id, stats in grouped_stats(regrouped(columns, group_of)).items():
            key = key_of[id]
            found[key.project_id].append(
                OperationStats(
                    **msgspec.structs.asdict(stats),
                    method=key.method,
                    route=key.route,
                    endpoint=key.endpoint,
                )
            )
        return {
            project_id: sorted(rows, key=lambda one: (-one.duration_us, one.route, one.method))
            for project_id, rows in found.items()
        }

    def trends(
        self, filter: Filter, step_us: int, operations: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[int]]:
        first, end = filter.start_us // step_us, -(-filter.end_us // step_us)
        found = {operation: [0] * max(0, end - first) for operation in operations}
        wanted = {
            id: (key.method, key.route)
            for key, id in list(self._operations.items())
            if key.project_id == filter.project_id and (key.method, key.route) in found
        }
        if filter.start_us >= filter.end_us or not wanted:
            return found
        cells = self._cells(filter, step_us=step_us)
        parameters = cells.parameters | {"step_us": step_us, "wanted": list(wanted)}
        for id, step, requests in self._rows(load("trends", cells=cells.sql), parameters):
            found[wanted[id]][step - first] += requests
        return found

    def series(self, filter: Filter, step_us: int) -> list[Point]:
        if filter.start_us >= filter.end_us:
            return []
        points = grouped_points(self._steps(filter, step_us))
        first = filter.start_us // step_us * step_us
        return [
            points.get(start_us) or empty_point(start_us)
            for start_us in range(first, filter.end_us, step_us)
        ]

    def heatmap(self, filter: Filter, step_us: int) -> Heatmap:
        return heatmap_of(self._steps(filter, step_us))

    def _steps(self, filter: Filter, step_us: int) -> Columns:
        """The histogram of every step. A page asks for it twice running, as series and as heatmap,
        and it is its dearest question: the last answer is kept until something is stored."""
        settled = filter.project_id not in self._changing  # in this order: see `_changes`
        asked = (filter, step_us, self.revision(filter.project_id))
        known = self._last_steps
        if settled and known is not None and known[0] == asked:
            return known[1]
        cells = self._cells(filter, step_us=step_us, together=True)
        columns = self._columns(
            load("series", cells=cells.sql), cells.parameters | {"step_us": step_us}
        )
        if settled:
            self._last_steps = asked, columns
        return columns

    def request(self, project_id: int, id: int) -> RequestRow | None:
        rows = self._request_rows(load("request"), {"project_id": project_id, "id": id})
        return rows[0] if rows else None

    def slowest(self, filter: Filter, limit: int) -> list[RequestRow]:
        conditions = self._conditions("request", filter, [filter.project_id])
        parameters = conditions.parameters | {
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "limit": limit,
        }
        return self._request_rows(load("slowest", conditions=conditions.sql), parameters)

    def requests(self, filter: Filter, limit: int, cursor: str | None = None) -> Page:
        cursor_start_us, cursor_id = _parse_cursor(cursor)
        conditions = self._conditions("request", filter, [filter.project_id])
        parameters = conditions.parameters | {
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "cursor_start_us": cursor_start_us,
            "cursor_id": cursor_id,
            "limit": limit + 1,
        }
        rows = self._request_rows(load("requests", conditions=conditions.sql), parameters)
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, f"{rows[-1].start_us}-{rows[-1].id}" if more else None)

    def _request_rows(self, statement: str, parameters: dict[str, Any]) -> list[RequestRow]:
        with self._asking() as connection:
            result = connection.execute(statement, parameters)
            names = [column[0] for column in result.description or ()]
            return [_request_row(dict(zip(names, row, strict=True))) for row in result.fetchall()]

    def ledger(self, filter: Filter) -> LedgerTotals:
        conditions = self._conditions("dropped", filter, [filter.project_id])
        window = {"start_us": filter.start_us, "end_us": filter.end_us}
        dropped = self._rows(
            load("dropped", conditions=conditions.sql), conditions.parameters | window
        )
        ledgers = self._ledgers(filter, [filter.project_id])
        stored, waiting, lost, silent = ledgers.get(filter.project_id, (0, 0, 0, 0))
        reasons = {reason: requests for reason, requests in dropped if requests}
        return LedgerTotals(
            seen=stored + sum(reasons.values()) + waiting + lost,
            stored=stored,
            waiting=waiting,
            lost=lost,
            dropped=reasons,
            silent=silent,
        )

    def _ledgers(
        self, filter: Filter, project_ids: Sequence[int]
    ) -> dict[int, tuple[int, int, int, int]]:
        """Per project: stored, waiting, lost, silent."""
        conditions = self._conditions("receipt", filter, project_ids)
        parameters = conditions.parameters | {
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "alive_since_us": filter.end_us - SILENT_US,
        }
        rows = self._rows(load("ledger", conditions=conditions.sql), parameters)
        return {project_id: tuple(numbers) for project_id, *numbers in rows}

    def pulses(
        self, project_ids: Sequence[int], start_us: int, end_us: int, steps: int
    ) -> dict[int, Pulse]:
        filter = Filter(project_id=0, start_us=start_us, end_us=end_us)
        stats = grouped_stats(self._histogram("project_id", filter, project_ids))
        ledgers = self._ledgers(filter, project_ids)
        last_seen = self._last_seen(project_ids)
        points = self._points(filter, project_ids, steps)
        return {
            project_id: Pulse(
                project_id=project_id,
                stats=stats.get(project_id, NOTHING),
                points=points[project_id],
                lost=ledgers.get(project_id, (0, 0, 0, 0))[2],
                last_seen_us=last_seen.get(project_id),
            )
            for project_id in project_ids
        }

    def _points(
        self, filter: Filter, project_ids: Sequence[int], steps: int
    ) -> dict[int, list[int]]:
        """Requests a step of every project."""
        step_us = max(1, -(-(filter.end_us - filter.start_us) // steps))
        # Steps begin at the window's start: a rollup fits into them where it fits both.
        cells = self._cells(
            filter, project_ids, step_us=math.gcd(filter.start_us, step_us), together=True
        )
        parameters = cells.parameters | {"from_us": filter.start_us, "step_us": step_us}
        points = {project_id: [0] * steps for project_id in project_ids}
        for project_id, step, requests in self._rows(load("steps", cells=cells.sql), parameters):
            points[project_id][step] = requests
        return points

    def last_seen_us(self, project_id: int) -> int | None:
        return self._last_seen([project_id]).get(project_id)

    def _last_seen(self, project_ids: Sequence[int]) -> dict[int, int]:
        return dict(self._rows(load("last_seen"), {"projects": list(project_ids)}))

    def environments(self, project_id: int) -> list[str]:
        return [name for (name,) in self._rows(load("environments"), {"project_id": project_id})]

    def last_seen_by_environment(self, project_id: int) -> dict[str | None, int]:
        return dict(self._rows(load("last_seen_by_environment"), {"project_id": project_id}))

    def rows(self) -> dict[str, int]:
        return {TIERS[table]: rows for table, rows in self._rows(load("rows"))}

    def project_ids(self) -> set[int]:
        return {project_id for (project_id,) in self._rows(load("project_ids"))}

    def statuses(self, filter: Filter) -> list[StatusStats]:
        groups = grouped_stats(self._histogram(f"status * {len(OUTCOMES)} + outcome", filter))
        found = [
            StatusStats(
                **msgspec.structs.asdict(stats),
                status=group // len(OUTCOMES),
                outcome=OUTCOMES[group % len(OUTCOMES)],
            )
            for group, stats in groups.items()
        ]
        return sorted(found, key=lambda one: (-one.requests, one.status, one.outcome))

    def measures(self, filter: Filter) -> dict[Measure, Spread]:
        found = grouped_stats(self._single_columns("measures", filter))
        return {MEASURES[group]: spread_of(stats) for group, stats in found.items()}

    def consumers(self, filter: Filter, limit: int) -> list[ConsumerStats]:
        columns = self._single_columns("consumers", filter, limit=limit)
        names = dict(zip(columns["group"].tolist(), columns["consumer"].tolist(), strict=True))
        return [
            ConsumerStats(**msgspec.structs.asdict(stats), consumer=names[place])
            for place, stats in sorted(grouped_stats(columns).items())
        ]

    def _single_columns(self, name: str, filter: Filter, **more: int) -> Columns:
        """A named question about single requests, which no rollup can answer."""
        conditions = self._conditions("request", filter, [filter.project_id])
        window = {"start_us": filter.start_us, "end_us": filter.end_us}
        return self._columns(
            load(name, conditions=conditions.sql), conditions.parameters | window | more
        )

    def unmatched(self, filter: Filter, limit: int) -> list[UnmatchedPath]:
        conditions = self._conditions("request", filter, [filter.project_id])
        nowhere = Filter(project_id=filter.project_id, start_us=0, end_us=0, route="")
        parameters = conditions.parameters | {
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "nowhere": self._matching_operations(nowhere),
            "limit": limit,
        }
        names = UnmatchedPath.__struct_fields__
        return [
            UnmatchedPath(**dict(zip(names, row, strict=True)))
            for row in self._rows(load("unmatched", conditions=conditions.sql), parameters)
        ]

    def releases(self, project_id: int) -> list[str]:
        return [name for (name,) in self._rows(load("releases"), {"project_id": project_id})]

    # -- from a filter to SQL --------------------------------------------------------------------

    def _cells(
        self,
        filter: Filter,
        project_ids: Sequence[int] | None = None,
        step_us: int = SIX_US,
        together: bool = False,
    ) -> Sql:
        """The requests of a window, as few rows as its length allows. `together`: the operation of
        a request is not asked for."""
        project_ids = [filter.project_id] if project_ids is None else project_ids
        together = together and filter.method is None and filter.route is None
        raw_from_us = max((self._raw_from.get(id, 0) for id in project_ids), default=0)
        found = parts(filter, step_us, together=together, raw_from_us=raw_from_us)
        single = self._conditions("request", filter, project_ids)
        parameters, selects = dict(single.parameters), []
        for number, (rollup, from_us, to_us) in enumerate(found):
            parameters |= {f"from_{number}": from_us, f"to_{number}": to_us}
            if rollup is None:
                selects.append(load("cells_requests", part=str(number), conditions=single.sql))
                continue
            merged = self._conditions("rollup", filter, project_ids)
            parameters |= merged.parameters
            operation = "operation_id" if rollup in OPERATIONS else "0"
            selects.append(
                load(
                    "cells_rollup", table=rollup.table, part=str(number), operation=operation,
                    conditions=merged.sql,
                )
            )  # fmt: skip
        if merged_parts := [part for part in found if part.rollup is not None]:
            parameters["rollups_from"] = min(part.from_us for part in merged_parts)
            parameters["rollups_to"] = max(part.to_us for part in merged_parts)
            selects.append(load("cells_fresh", conditions=single.sql))
        if not selects:  # asked all the same, it finds nothing
            parameters |= {"from_0": 0, "to_0": 0}
            selects.append(load("cells_requests", part="0", conditions=single.sql))
        return Sql("\nunion all\n".join(selects), parameters)

    def _conditions(self, table: str, filter: Filter, project_ids: Sequence[int]) -> Sql:
        """What a filter means for the rows of a table; only what it names costs anything."""
        terms: list[str] = []
        parameters: dict[str, Any] = {}
        _one_of("project", project_ids, terms, parameters)
        if filter.environment is not None:
            terms.append(ENVIRONMENT_IS[table])
            parameters["environment"] = filter.environment
        if table in ("rollup", "request"):
            terms += self._own_terms(table, filter, parameters)
            if filter.method is not None or filter.route is not None:
                _one_of("operation", self._matching_operations(filter), terms, parameters)
            if filter.status is not None:
                terms.append("c.status between $status_from and $status_to")
                parameters["status_from"], parameters["status_to"] = statuses(filter.status)
        return Sql(" and ".join(terms), parameters)

    def _own_terms(self, table: str, filter: Filter, parameters: dict[str, Any]) -> list[str]:
        """The conditions beyond operation, status and environment; their values go to the rest."""
        known = TERMS | {"release": RELEASE_IS[table]}
        if table == "request":
            known |= SINGLE_TERMS
        asked = msgspec.structs.asdict(filter)
        if filter.outcome is not None:
            asked["outcome"] = OUTCOMES.index(filter.outcome)
        asked["errors"] = filter.errors or None
        meant = [name for name in known if asked[name] is not None]
        parameters |= {name: asked[name] for name in meant if name != "errors"}
        return [known[name] for name in meant]

    def _matching_operations(self, filter: Filter) -> list[int]:
        return [
            id
            for key, id in list(self._operations.items())
            if key.project_id == filter.project_id
            and filter.method in (None, key.method)
            and filter.route in (None, key.route)
        ]

    @contextmanager
    def _asking(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one question. Raises StoreUnavailableError where waiting may help, or
        asking for less."""
        try:
            with self._connection.cursor() as connection:
                yield connection
        except AWAY as error:
            raise AwayError(str(error)) from error

    def _rows(self, statement: str, parameters: dict[str, Any] | None = None) -> list[Any]:
        with self._asking() as connection:
            return self._run(connection, statement, parameters or {}).fetchall()

    def _columns(self, statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self._asking() as connection:
            return self._run(connection, statement, parameters).fetchnumpy()

    def _run(
        self, connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, Any]
    ) -> duckdb.DuckDBPyConnection:
        """Ask; what is in the rollups and what is not yet are read from the same snapshot."""
        if "$rolled" in statement and "rolled" not in parameters:
            connection.begin()
            rolled = connection.execute(load("rolled")).fetchall()[0][0]
            parameters = parameters | {"rolled": rolled}
        return connection.execute(statement, named(statement, parameters))


def _request_row(row: dict[str, Any]) -> RequestRow:
    return RequestRow(**(row | {"outcome": OUTCOMES[row["outcome"]]}))


def _one_of(name: str, ids: Sequence[int], terms: list[str], parameters: dict[str, Any]) -> None:
    """The condition that an id is one of these: one alone is compared many times as fast."""
    if len(ids) == 1:
        terms.append(f"c.{name}_id = $the_{name}")
        parameters[f"the_{name}"] = ids[0]
    else:
        terms.append(f"list_contains($the_{name}s::integer[], c.{name}_id)")
        parameters[f"the_{name}s"] = list(ids)


def _parse_cursor(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return NO_CURSOR
    if found := CURSOR.fullmatch(cursor):
        return int(found[1]), int(found[2])
    raise UnknownCursorError(
        "cursor is not one that this server handed out; leave it out to begin again"
    )
