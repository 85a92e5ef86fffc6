"""The questions about single requests, which DuckDB answers from their rows."""

import re
from typing import Any, Final

import msgspec

from flask_performance.wire import OUTCOMES

from .base import (
    MEASURES,
    ConsumerStats,
    Filter,
    Measure,
    Page,
    RequestRow,
    Spread,
    UnknownCursorError,
    UnmatchedPath,
)
from .duckdb_asking import DuckDBAsking
from .queries import load
from .statistics import Columns, grouped_stats, spread_of

#: After everything: where a list begins.
NO_CURSOR: Final = (2**63 - 1, 2**63 - 1)
#: Start and id of the last row, both of which fit 63 bits.
CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class DuckDBSingles(DuckDBAsking):
    """The questions of the pages of requests, and of what only single requests know."""

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


def _request_row(row: dict[str, Any]) -> RequestRow:
    return RequestRow(**(row | {"outcome": OUTCOMES[row["outcome"]]}))


def _parse_cursor(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return NO_CURSOR
    if found := CURSOR.fullmatch(cursor):
        return int(found[1]), int(found[2])
    raise UnknownCursorError(
        "cursor is not one that this server handed out; leave it out to begin again"
    )
