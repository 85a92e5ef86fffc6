"""The questions about single requests, which DuckDB answers from their rows."""

import re
from typing import Any, Final

from flask_performance.wire import OUTCOMES

from .base import Filter, Page, RequestRow, UnknownCursorError
from .duckdb_asking import DuckDBAsking
from .queries import load

#: After everything: where a list begins.
NO_CURSOR: Final = (2**63 - 1, 2**63 - 1)
#: Start and id of the last row, both of which fit 63 bits.
CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class DuckDBSingles(DuckDBAsking):
    """The questions of the pages of requests."""

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
