"""The questions about what single requests know beside their duration, answered by ClickHouse.

Whole steps are read from the details, the rest of a window from its requests.
"""

from typing import Any, Final

import msgspec
import numpy as np

from flask_performance.server.store.asking import Sql
from flask_performance.server.store.base import (
    MEASURES,
    ConsumerStats,
    Filter,
    Measure,
    Spread,
    UnmatchedPath,
)
from flask_performance.server.store.details import Detail, whole_steps
from flask_performance.server.store.statistics import grouped_stats, spread_of

from .queries import statement
from .singles import ClickHouseSingles

#: Requests outside the steps that details answer, and those inside that are in no detail yet.
OUTSIDE: Final = "(c.start_us < $whole_from or c.start_us >= $whole_to)"
LATE: Final = (
    "c.start_us >= $whole_from and c.start_us < $whole_to and c.day >= $late_day and "
    "(bitShiftRight(c.id, 20) in $fresh or bitShiftRight(c.id, 20) global in ({covered}))"
)
#: No path in vain.
NONE: Final = "select toUInt64(0)"
UNION: Final = "\nunion all\n"
#: An endpoint that was renamed splits a path; so many more rows are asked for than are shown.
RENAMED: Final = 10


class ClickHouseDetailed(ClickHouseSingles):
    """The questions that details answer as far as they go."""

    def measures(self, filter: Filter) -> dict[Measure, Spread]:
        cells = self._detailed("measures", filter, "measured")
        found = grouped_stats(
            self._columns(statement("measures", cells=cells.sql), cells.parameters)
        )
        return {MEASURES[group]: spread_of(stats) for group, stats in found.items()}

    def consumers(self, filter: Filter, limit: int) -> list[ConsumerStats]:
        cells = self._detailed("consumers", filter, "single_consumers")
        asked = statement("consumers", cells=cells.sql)
        columns = self._columns(asked, cells.parameters | {"limit": limit})
        names = columns["consumer"].tolist()
        places = {name: place for place, name in enumerate(dict.fromkeys(names))}
        columns["group"] = np.array([places[name] for name in names], dtype="i8")
        stats = grouped_stats(columns)
        return [
            ConsumerStats(**msgspec.structs.asdict(stats[place]), consumer=name)
            for name, place in places.items()
        ]

    def unmatched(self, filter: Filter, limit: int) -> list[UnmatchedPath]:
        operations = {id: key for key, id in self._operations_of([filter.project_id]).items()}
        more = {
            "nowhere": tuple(id for id, key in operations.items() if not key.route),
            "limit": limit * RENAMED,
        }
        keys = self._detailed("unmatched", filter, "keys_in_vain", whole=False)
        rows = self._rows(statement("frequent", cells=keys.sql), keys.parameters | more)
        more["frequent"] = tuple(key for (key,) in rows)
        cells = self._detailed("unmatched", filter, "single_unmatched")
        rows = self._rows(statement("unmatched", cells=cells.sql), cells.parameters | more)
        found: dict[tuple[str, str, int], UnmatchedPath] = {}
        for id, path, status, requests, last_us, consumer, several in rows:
            key = operations[id]
            path = key.route if path is None else path
            one = UnmatchedPath(
                method=key.method, path=path, status=status, requests=requests, last_us=last_us,
                consumer=consumer, several=bool(several),
            )  # fmt: skip
            known = found.get((one.method, one.path, one.status))
            found[one.method, one.path, one.status] = one if known is None else _both(known, one)
        order = sorted(
            found.values(), key=lambda one: (-one.requests, -one.last_us, one.path, one.method)
        )
        return order[:limit]

    def _detailed(self, detail: Detail, filter: Filter, single: str, *, whole: bool = True) -> Sql:
        """The requests of a window: those of whole steps from a detail (`whole`: they are asked
        for), and the rest by a statement about single requests."""
        singles = self._conditions("request", filter, [filter.project_id])
        state = self._attempts.state()
        whole_from, whole_to = whole_steps(detail, filter)
        parameters: dict[str, Any] = {
            **state.parameters, **singles.parameters,
            "start_us": filter.start_us, "end_us": filter.end_us,
            "whole_from": whole_from, "whole_to": whole_to,
        }  # fmt: skip
        rests, known, merged = [OUTSIDE], NONE, Sql("", {})
        if whole_from < whole_to:
            merged = self._conditions("rollup", filter, [filter.project_id])
            known = statement("known_in_vain", details=merged.sql)
            if state.fresh or state.minutes > state.upto:
                rests.append(LATE.format(covered=statement("covered")))
        cells = [
            statement(single, rest=rest, conditions=singles.sql, known=known) for rest in rests
        ]
        if whole and merged.sql:
            cells.append(statement(f"details_{detail}", conditions=merged.sql))
        return Sql(UNION.join(cells), parameters | merged.parameters)


def _both(one: UnmatchedPath, other: UnmatchedPath) -> UnmatchedPath:
    """The same path under an endpoint's old and new name."""
    newer = max(one, other, key=lambda each: each.last_us)
    named = {each.consumer for each in (one, other)} - {None}
    return msgspec.structs.replace(
        newer,
        requests=one.requests + other.requests,
        consumer=newer.consumer or next(iter(named), None),
        several=one.several or other.several or len(named) > 1,
    )
