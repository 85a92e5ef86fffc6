"""The questions about sets of requests, answered from rollups as far as they go, for every home."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from flask_performance.wire import OUTCOMES

from .asking import Asking, Sql
from .base import (
    DAY_US,
    SILENT_US,
    Filter,
    Heatmap,
    LedgerTotals,
    OperationStats,
    Point,
    Pulse,
    Stats,
    StatusStats,
    Thresholds,
)
from .statistics import (
    NOTHING,
    Columns,
    empty_point,
    grouped_points,
    grouped_stats,
    heatmap_of,
    judged_apart,
    regrouped,
)

#: The tier of a table with requests.
TIERS: Final = {"request": "raw", "rollup_minute": "minutes", "rollup_hour": "hours"}
#: Window, step and revision.
Asked = tuple[Filter, int, int]
#: So many answers are kept: those of a page and the period before it.
MOST_KEPT: Final = 8
#: Nobody asked for Apdex.
NOT_JUDGED = Sql("", {})


class Reader(Asking):
    """The questions of an app's pages as a whole, of its operations and of the ledger."""

    #: The projects that something is being stored for, or deleted from.
    _changing: frozenset[int] = frozenset()
    #: The last questions of `_steps`, and of `summary` (with step 0), and their answers.
    _last: tuple[tuple[Asked, Thresholds | None, Columns], ...] = ()

    def summary(self, filter: Filter, thresholds: Thresholds | None = None) -> Stats:
        return grouped_stats(self._whole(filter, thresholds)).get(0, NOTHING)

    def _whole(self, filter: Filter, thresholds: Thresholds | None = None) -> Columns:
        """The histogram of a window. A verdict needs it, and the numbers beside it do."""

        def ask() -> Columns:
            apart = self._apart("histogram", filter, thresholds, DAY_US, group="0")
            return apart or self._histogram("0", filter, thresholds=thresholds)

        return self._kept(filter, 0, thresholds, ask)

    def _apart(
        self, name: str, filter: Filter, thresholds: Thresholds | None, step_us: int, **words: str
    ) -> Columns | None:
        """An answer judged by operations' own thresholds, of a long window: those that have one are
        asked apart, or all rows would have to be read operation by operation. None: no need to."""
        long = filter.end_us - filter.start_us >= DAY_US and not filter.single
        if thresholds is None or not long or (filter.method, filter.route) != (None, None):
            return None
        judged = self._judged(filter.project_id, thresholds)
        if "operation_id" not in judged.sql:
            return None
        cells = self._cells(filter, step_us=step_us)
        own = f"select * from ({cells.sql}) where {self._is_own}"  # noqa: S608  # nosec B608
        apart = self._columns(
            self._statement(name, judged=judged.sql, cells=own, **words),
            cells.parameters | judged.parameters | {"step_us": step_us},
        )
        together = self._cells(filter, step_us=step_us, together=True)
        whole = self._columns(
            self._statement(name, judged="", cells=together.sql, **words),
            together.parameters | {"step_us": step_us},
        )
        return judged_apart(whole, apart, thresholds.us)

    def _kept(
        self,
        filter: Filter,
        step_us: int,
        thresholds: Thresholds | None,
        ask: Callable[[], Columns],
    ) -> Columns:
        """The panels of a page ask the same twice: the last answers are kept until something is
        stored."""
        settled = filter.project_id not in self._changing  # in this order: see `_changes`
        asked = (filter, step_us, self.revision(filter.project_id))
        for known, judged, columns in self._last if settled else ():
            if known == asked and thresholds in (None, judged):
                return columns
        columns = ask()
        if settled:
            self._last = (*self._last[1 - MOST_KEPT :], (asked, thresholds, columns))
        return columns

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
        statement = self._statement("histogram", group=group, judged=judged.sql, cells=cells.sql)
        return self._columns(statement, cells.parameters | judged.parameters)

    def _judged(self, project_id: int, thresholds: Thresholds) -> Sql:
        """The columns that count for Apdex."""
        parameters: dict[str, Any] = {"apdex_us": thresholds.us}
        own = {
            id: us
            for key, id in (self._operations_of([project_id]) if thresholds.own else {}).items()
            for method, route, us in thresholds.own
            if (key.method, key.route) == (method, route)
        }
        if not own:
            return Sql(self._statement("apdex", threshold="$apdex_us"), parameters)
        parameters |= {"own_operations": list(own), "own_us": list(own.values())}
        return Sql(self._statement("apdex", threshold=self._own_threshold), parameters)

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
        ids = self._operations_of(project_ids)
        newest = {(key.project_id, key.method, key.route): (id, key) for key, id in ids.items()}
        group_of = {id: newest[key.project_id, key.method, key.route][0] for key, id in ids.items()}
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
            for key, id in self._operations_of([filter.project_id]).items()
            if (key.method, key.route) in found
        }
        if filter.start_us >= filter.end_us or not wanted:
            return found
        cells = self._cells(filter, step_us=step_us)
        parameters = cells.parameters | {"step_us": step_us, "wanted": list(wanted)}
        for id, step, requests in self._rows(
            self._statement("trends", cells=cells.sql), parameters
        ):
            found[wanted[id]][step - first] += requests
        return found

    def series(
        self, filter: Filter, step_us: int, thresholds: Thresholds | None = None
    ) -> list[Point]:
        if filter.start_us >= filter.end_us:
            return []
        judged = thresholds is not None
        points = grouped_points(self._steps(filter, step_us, thresholds), judged=judged)
        first = filter.start_us // step_us * step_us
        return [
            points.get(start_us) or empty_point(start_us, judged=judged)
            for start_us in range(first, filter.end_us, step_us)
        ]

    def heatmap(self, filter: Filter, step_us: int) -> Heatmap:
        first, last = filter.start_us // step_us, (filter.end_us - 1) // step_us
        if first < last:
            return heatmap_of(self._steps(filter, step_us))
        columns = self._whole(filter)
        starts_us = np.full(len(columns["bucket"]), first * step_us)
        return heatmap_of(columns | {"group": starts_us})

    def _steps(self, filter: Filter, step_us: int, thresholds: Thresholds | None = None) -> Columns:
        """The histogram of every step: of a page's questions the dearest."""

        def ask() -> Columns:
            if apart := self._apart("series", filter, thresholds, step_us):
                return apart
            judged = NOT_JUDGED if thresholds is None else self._judged(project_id, thresholds)
            together = "operation_id" not in judged.sql
            cells = self._cells(filter, step_us=step_us, together=together)
            return self._columns(
                self._statement("series", judged=judged.sql, cells=cells.sql),
                cells.parameters | judged.parameters | {"step_us": step_us},
            )

        project_id = filter.project_id
        return self._kept(filter, step_us, thresholds, ask)

    def ledger(self, filter: Filter) -> LedgerTotals:
        conditions = self._conditions("dropped", filter, [filter.project_id])
        window = {"start_us": filter.start_us, "end_us": filter.end_us}
        dropped = self._rows(
            self._statement("dropped", conditions=conditions.sql), conditions.parameters | window
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
        rows = self._rows(self._statement("ledger", conditions=conditions.sql), parameters)
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
        for project_id, step, requests in self._rows(
            self._statement("steps", cells=cells.sql), parameters
        ):
            points[project_id][step] = requests
        return points

    def last_seen_us(self, project_id: int) -> int | None:
        return self._last_seen([project_id]).get(project_id)

    def _last_seen(self, project_ids: Sequence[int]) -> dict[int, int]:
        return dict(self._rows(self._statement("last_seen"), {"projects": list(project_ids)}))

    def environments(self, project_id: int) -> list[str]:
        return [
            name
            for (name,) in self._rows(self._statement("environments"), {"project_id": project_id})
        ]

    def last_seen_by_environment(self, project_id: int) -> dict[str | None, int]:
        return dict(
            self._rows(self._statement("last_seen_by_environment"), {"project_id": project_id})
        )

    def rows(self) -> dict[str, int]:
        return {TIERS[table]: rows for table, rows in self._rows(self._statement("rows"))}

    def project_ids(self) -> set[int]:
        return {project_id for (project_id,) in self._rows(self._statement("project_ids"))}

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

    def releases(self, project_id: int) -> list[str]:
        return [
            name for (name,) in self._rows(self._statement("releases"), {"project_id": project_id})
        ]
