"""The questions about single requests, which DuckDB answers from their rows."""

import re
from typing import Any, Final

from msgspec.structs import replace

from flask_performance.wire import OUTCOMES

from .base import Filter, Page, RequestRow, UnknownCursorError
from .duckdb_places import DuckDBPlaces
from .queries import load

#: After everything: where a list begins.
NO_CURSOR: Final = (2**63 - 1, 2**63 - 1)
#: Start and id of the last row, both of which fit 63 bits.
CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


class DuckDBSingles(DuckDBPlaces):
    """The questions of the pages of requests."""

    def request(self, project_id: int, id: int) -> RequestRow | None:
        rows = self._request_rows(load("request"), {"project_id": project_id, "id": id})
        return rows[0] if rows else None

    def heard_before(self, project_id: int, at_us: int) -> bool:
        asked = {"project_id": project_id, "at_us": at_us}
        return bool(self._rows(load("heard_before"), asked)[0][0])

    def slowest(self, filter: Filter, limit: int) -> list[RequestRow]:
        conditions = self._conditions("request", filter, [filter.project_id])
        places = self._slowest_places(filter, limit)
        parameters = {
            **conditions.parameters, **places.parameters,
            "start_us": filter.start_us, "end_us": filter.end_us, "limit": limit,
        }  # fmt: skip
        statement = load("slowest", conditions=conditions.sql, places=places.sql)
        return self._request_rows(statement, parameters)

    def requests(self, filter: Filter, limit: int, cursor: str | None = None) -> Page:
        cursor_start_us, cursor_id = _parse_cursor(cursor)
        end_us = min(filter.end_us, cursor_start_us + 1)
        ways, asked = self._single_conditions(filter, [filter.project_id])
        parameters = {
            **asked, "end_us": end_us,
            "start_us": self._newest_from(replace(filter, end_us=end_us), limit + 1),
            "cursor_start_us": cursor_start_us, "cursor_id": cursor_id, "limit": limit + 1,
        }  # fmt: skip
        found = [load("requests_found", conditions=way) for way in ways]
        rows = self._request_rows(load("requests", found="\nunion all\n".join(found)), parameters)
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, f"{rows[-1].start_us}-{rows[-1].id}" if more else None)

    def _request_rows(self, statement: str, parameters: dict[str, Any]) -> list[RequestRow]:
        return [_request_row(row) for row in self._named_rows(statement, parameters)]


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
