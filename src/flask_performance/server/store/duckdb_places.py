"""Where in a long window its slowest or its newest requests lie: rollups know the steps.

A month of single requests is much to read for the ten of them that are shown. What a rollup cannot
tell, because a filter asks for more than it knows, is looked for in the whole window.
"""

from collections.abc import Sequence
from typing import Any, Final

from .asking import Sql
from .base import Filter
from .duckdb_asking import DuckDBAsking
from .latency import least_of
from .queries import load
from .rollups import SIX_US
from .window import inside

#: Shorter windows are read as they are.
LONG_US: Final = 4 * SIX_US
#: More stretches than this are read as one, from the first to the last.
MOST_STRETCHES: Final = 40


class DuckDBPlaces(DuckDBAsking):
    """What the questions about single requests ask first."""

    def _slowest_places(self, filter: Filter, limit: int) -> Sql:
        """The condition on requests that leaves the slowest ones of a window, and few others."""
        if filter.single or filter.end_us - filter.start_us < LONG_US:
            return Sql("true", {})
        rows = self._of_steps("slowest_steps", filter, {"limit": limit})
        if not rows:
            return Sql("c.id > $rolled", {})
        least_us = least_of(rows[0][1])
        stretches = _stretches([start_us for start_us, _ in rows])
        terms = " or ".join(
            f"(c.start_us >= $at_{place} and c.start_us < $to_{place})"
            for place in range(len(stretches))
        )
        parameters: dict[str, Any] = {"least_us": least_us}
        for place, (from_us, to_us) in enumerate(stretches):
            parameters |= {f"at_{place}": from_us, f"to_{place}": to_us}
        return Sql(f"c.duration_us >= $least_us and (c.id > $rolled or {terms})", parameters)

    def _newest_from(self, filter: Filter, limit: int) -> int:
        """A moment from which on a window has so many requests at least; its start, if unknown."""
        if filter.single or filter.end_us - filter.start_us < LONG_US:
            return filter.start_us
        found = 0
        for start_us, requests in self._of_steps("newest_steps", filter, {}):
            found += requests
            if found >= limit:
                return max(filter.start_us, int(start_us))
        return filter.start_us

    def _of_steps(self, name: str, filter: Filter, more: dict[str, Any]) -> list[Any]:
        """A named question about the steps of a window that have such requests."""
        by_operation = filter.method is not None or filter.route is not None
        conditions = self._conditions("rollup", filter, [filter.project_id])
        # What is deleted is counted in rollups still.
        kept_us = max(filter.start_us, self._raw_from.get(filter.project_id, 0))
        whole_from, whole_to = inside(kept_us, filter.end_us, SIX_US)
        parameters = conditions.parameters | more | {
            "from_us": filter.start_us // SIX_US * SIX_US, "end_us": filter.end_us,
            "whole_from": whole_from, "whole_to": whole_to,
        }  # fmt: skip
        table = "rollup_six" if by_operation else "total_six"
        return self._rows(load(name, table=table, conditions=conditions.sql), parameters)


def _stretches(starts_us: Sequence[int]) -> list[tuple[int, int]]:
    """Steps that lie beside each other are one stretch."""
    found: list[tuple[int, int]] = []
    for start_us in sorted(starts_us):
        if found and found[-1][1] == start_us:
            found[-1] = (found[-1][0], start_us + SIX_US)
        else:
            found.append((start_us, start_us + SIX_US))
    return found if len(found) <= MOST_STRETCHES else [(found[0][0], found[-1][1])]
