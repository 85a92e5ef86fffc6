"""The questions about what single requests know beside their duration, answered by DuckDB.

Whole steps are read from the details, the rest of a window from its requests.
"""

from typing import Any, Final

import msgspec

from .asking import Sql
from .base import MEASURES, ConsumerStats, Filter, Measure, Spread, UnmatchedPath
from .details import Detail, whole_steps
from .duckdb_singles import DuckDBSingles
from .queries import load
from .statistics import Columns, grouped_stats, spread_of

#: The columns of a request that each question needs.
COLUMNS: Final[dict[Detail, str]] = {
    "measures": "c.duration_us, c.first_byte_us, c.cpu_us, c.queue_us, c.request_bytes, "
    "c.response_bytes",
    "consumers": "c.consumer, c.status, c.outcome, c.duration_us",
    "unmatched": "c.operation_id, c.status, c.path, c.start_us, c.consumer",
}
#: Requests that asked in vain: for what matches no route, or in a way that a route refuses.
IN_VAIN: Final = (
    "(c.status in (308, 405) or "
    "(c.status >= 300 and list_contains($nowhere::integer[], c.operation_id)))"
)


class DuckDBDetailed(DuckDBSingles):
    """The questions that details answer as far as they go."""

    def measures(self, filter: Filter) -> dict[Measure, Spread]:
        asked = self._detailed(
            "measures", filter, measured=load("measured", keys="", table="found")
        )
        found = grouped_stats(self._columns(*asked))
        return {MEASURES[group]: spread_of(stats) for group, stats in found.items()}

    def consumers(self, filter: Filter, limit: int) -> list[ConsumerStats]:
        asked = self._detailed("consumers", filter)
        columns = self._columns(asked.sql, asked.parameters | {"limit": limit})
        names = dict(zip(columns["group"].tolist(), columns["consumer"].tolist(), strict=True))
        return [
            ConsumerStats(**msgspec.structs.asdict(stats), consumer=names[place])
            for place, stats in sorted(grouped_stats(columns).items())
        ]

    def unmatched(self, filter: Filter, limit: int) -> list[UnmatchedPath]:
        nowhere = Filter(project_id=filter.project_id, start_us=0, end_us=0, route="")
        asked = self._detailed("unmatched", filter, condition=IN_VAIN)
        more = {"nowhere": self._matching_operations(nowhere), "limit": limit}
        names = UnmatchedPath.__struct_fields__
        return [
            UnmatchedPath(**dict(zip(names, row, strict=True)))
            for row in self._rows(asked.sql, asked.parameters | more)
        ]

    def _detailed(
        self, detail: Detail, filter: Filter, condition: str = "true", **words: str
    ) -> Sql:
        """A question about a window: whole steps of it from the details, and single requests."""
        projects = [filter.project_id]
        ways, asked = self._single_conditions(filter, projects)
        from_us, to_us = whole_steps(detail, filter)
        spans = {
            "before": (filter.start_us, from_us, condition),
            "after": (to_us, filter.end_us, condition),
            "fresh": (from_us, to_us, f"c.id > $detailed and {condition}"),
        }
        parameters: dict[str, Any] = asked | {"whole_from": from_us, "whole_to": to_us}
        selects = []
        for part, (start_us, end_us, terms) in spans.items():
            if start_us < end_us or part == "before":
                parameters |= {f"from_{part}": start_us, f"to_{part}": end_us}
                selects += [
                    load(
                        "singles",
                        columns=COLUMNS[detail],
                        part=part,
                        conditions=f"{way} and {terms}",
                    )
                    for way in ways
                ]
        merged = Sql("false", {})
        if from_us < to_us:
            merged = self._conditions("rollup", filter, projects)
        details = load(f"details_{detail}", conditions=merged.sql)
        statement = load(detail, singles="\nunion all\n".join(selects), details=details, **words)
        return Sql(statement, parameters | merged.parameters)

    def _single_columns(self, name: str, filter: Filter, **more: int) -> Columns:
        """A named question about single requests, which nothing else can answer."""
        conditions = self._conditions("request", filter, [filter.project_id])
        window = {"start_us": filter.start_us, "end_us": filter.end_us}
        return self._columns(
            load(name, conditions=conditions.sql), conditions.parameters | window | more
        )
