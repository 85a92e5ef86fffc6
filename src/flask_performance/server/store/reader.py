"""The questions about sets of requests, answered from rollups as far as they go, for every home."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
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
    counted,
    empty_point,
    grouped_points,
    grouped_stats,
    heatmap_of,
    judged_apart,
    regrouped,
    together,
)

#: The tier of a table with requests.
TIERS: Final = {"request": "raw", "rollup_minute": "minutes", "rollup_hour": "hours"}
#: Window, step and revision.
Asked = tuple[Filter, int, int]
#: So many answers are kept: those of a page and the period before it.
MOST_KEPT: Final = 8
#: Nobody asked for Apdex.
NOT_JUDGED = Sql("0", {})
#: Groups of histograms, as expressions over a request's columns; of a status the outcome, too.
BY_STATUS: Final = f"(status * {len(OUTCOMES)} + outcome)"
BY_OPERATION: Final = "operation_id"


class Reader(Asking):
    """The questions of an app's pages as a whole, of its operations and of the ledger."""

    #: The projects that something is being stored for, or deleted from.
    _changing: frozenset[int] = frozenset()
    #: The last questions of `_steps`, and of `summary` (with step 0), and their answers.
    _last: tuple[tuple[Asked, Thresholds | None, Columns], ...] = ()

    def summary(self, filter: Filter, thresholds: Thresholds | None = None) -> Stats:
        return grouped_stats(together(self._whole(filter, thresholds))).get(0, NOTHING)

    def _whole(self, filter: Filter, thresholds: Thresholds | None = None) -> Columns:
        """The histograms of a window by status and outcome: the numbers of a page, its verdict and
        its table of statuses are made of them."""

        def ask() -> Columns:
            return self._histogram(BY_STATUS, filter, thresholds=thresholds)

        return self._kept(filter, 0, thresholds, ask)

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
        step_us: int = DAY_US,
    ) -> Columns:
        """The histogram of every group, which is an expression over a request's columns."""
        own = self._own(filter.project_id, thresholds)
        if thresholds is not None and own and self._judges_apart(group, filter):
            return self._judged_apart(group, filter, thresholds.us, own, step_us)
        judged = self._judged(thresholds, own)
        # Operations' own thresholds need to know whose a request is, and where there are few
        # requests a threshold is met exactly as long as they are not put together.
        short = filter.end_us - filter.start_us < step_us
        exact = thresholds is not None and short
        by_operation = exact or own or group == BY_OPERATION
        cells = self._cells(filter, project_ids, step_us, together=not by_operation)
        return self._counted(group, judged, cells, step_us)

    def _counted(self, group: str, judged: Sql, cells: Sql, step_us: int) -> Columns:
        kind = self._statement("kind", judged=judged.sql)
        statement = self._statement("histogram", group=group, kind=kind, cells=cells.sql)
        parameters = cells.parameters | judged.parameters | {"step_us": step_us}
        return counted(self._columns(statement, parameters), judged=judged is not NOT_JUDGED)

    def _own(self, project_id: int, thresholds: Thresholds | None) -> dict[int, int]:
        """Operations that have a threshold of their own, and which."""
        own = {} if thresholds is None else {(one[0], one[1]): one[2] for one in thresholds.own}
        ids = self._operations_of([project_id]) if own else {}
        return {
            id: own[key.method, key.route]
            for key, id in ids.items()
            if (key.method, key.route) in own
        }

    def _judged(self, thresholds: Thresholds | None, own: Mapping[int, int]) -> Sql:
        """How a cell is judged for Apdex, as a number."""
        if thresholds is None:
            return NOT_JUDGED
        parameters: dict[str, Any] = {"apdex_us": thresholds.us}
        if not own:
            return Sql(self._judgement("$apdex_us", exact=True), parameters)
        parameters |= {"own_operations": list(own), "own_us": list(own.values())}
        return Sql(self._judgement(self._own_threshold, exact=True), parameters)

    def _judgement(self, threshold: str, *, exact: bool) -> str:
        """`exact`: the only request of a cell counts by its own duration, not by its bucket."""
        return self._statement("apdex", threshold=threshold, alone="1 = 1" if exact else "1 = 0")

    def _judges_apart(self, group: str, filter: Filter) -> bool:
        """Whether operations with thresholds of their own are asked apart: in a long window, or
        all rows would have to be read operation by operation."""
        long = filter.end_us - filter.start_us >= DAY_US and not filter.single
        return long and (filter.method, filter.route) == (None, None) and group != BY_OPERATION

    def _judged_apart(
        self, group: str, filter: Filter, us: int, own: Mapping[int, int], step_us: int
    ) -> Columns:
        """All are judged by the project's threshold, by their bucket alone; then those that have
        another one are told apart, and judged by it."""
        usual = Sql(self._judgement("$apdex_us", exact=False), {"apdex_us": us})
        cells = self._cells(filter, step_us=step_us, together=True)
        whole = self._counted(group, usual, cells, step_us)
        cells = self._cells(filter, step_us=step_us)
        words = {"usual": usual.sql, "own": self._judgement(self._own_threshold, exact=False)}
        apart = self._columns(
            self._statement("apart", group=group, cells=cells.sql, **words),
            cells.parameters
            | usual.parameters
            | {"own_operations": list(own), "own_us": list(own.values()), "step_us": step_us},
        )
        return judged_apart(whole, apart)

    def operations(
        self, filter: Filter, thresholds: Thresholds | None = None
    ) -> list[OperationStats]:
        columns = self._histogram(BY_OPERATION, filter, thresholds=thresholds)
        return self._operation_stats(columns, [filter.project_id])[filter.project_id]

    def operations_of(
        self, project_ids: Sequence[int], start_us: int, end_us: int
    ) -> dict[int, list[OperationStats]]:
        filter = Filter(project_id=0, start_us=start_us, end_us=end_us)
        columns = self._histogram(BY_OPERATION, filter, project_ids)
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
        columns = together(self._whole(filter))
        starts_us = np.full(len(columns["bucket"]), first * step_us)
        return heatmap_of(columns | {"group": starts_us})

    def _steps(self, filter: Filter, step_us: int, thresholds: Thresholds | None = None) -> Columns:
        """The histogram of every step: of a page's questions the dearest."""

        def ask() -> Columns:
            group = self._statement("step")
            return self._histogram(group, filter, thresholds=thresholds, step_us=step_us)

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
        found = [
            StatusStats(
                **(msgspec.structs.asdict(stats) | {"satisfied": None, "tolerated": None}),
                status=group // len(OUTCOMES),
                outcome=OUTCOMES[group % len(OUTCOMES)],
            )
            for group, stats in grouped_stats(self._whole(filter)).items()
        ]
        return sorted(found, key=lambda one: (-one.requests, one.status, one.outcome))

    def releases(self, project_id: int) -> list[str]:
        return [
            name for (name,) in self._rows(self._statement("releases"), {"project_id": project_id})
        ]
