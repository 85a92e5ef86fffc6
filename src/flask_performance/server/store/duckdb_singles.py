"""The questions about single requests, which DuckDB answers from their rows."""

import re
from typing import Any, Final

from msgspec.structs import replace

from .base import Filter, Page, RequestRow, UnknownCursorError
from .duckdb_names import DuckDBNames
from .queries import load

#: After everything: where a list begins.
NO_CURSOR: Final = (2**63 - 1, 2**63 - 1)
#: Start and id of the last row, both of which fit 63 bits.
CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
#: A filter without its times, and a limit.
Tail = tuple[Filter, int]
#: So many are remembered: the pages that are open and live.
MOST_TAILS: Final = 64


class DuckDBSingles(DuckDBNames):
    """The questions of the pages of requests."""

    #: Where the newest requests that were asked for began, the last time: when the same is asked
    #: again a moment later, only what is newer than that can be among them.
    _tails: dict[Tail, int] = {}  # noqa: RUF012  replaced, never changed

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
        before = _parse_cursor(cursor)
        tail = (replace(filter, start_us=0, end_us=0), limit)
        known_us = self._tails.get(tail, 0) if cursor is None else 0
        rows: list[RequestRow] = []
        if known_us > filter.start_us:
            rows = self._newest(replace(filter, start_us=known_us), limit + 1, before)
        if len(rows) <= limit:
            end_us = min(filter.end_us, before[0] + 1)
            start_us = self._newest_from(replace(filter, end_us=end_us), limit + 1)
            rows = self._newest(replace(filter, start_us=start_us), limit + 1, before)
        if len(rows) <= limit:
            return Page(rows, None)
        if cursor is None:
            others = [item for item in self._tails.items() if item[0] != tail]
            self._tails = dict([*others[1 - MOST_TAILS :], (tail, rows[-1].start_us)])
        rows = rows[:limit]
        return Page(rows, f"{rows[-1].start_us}-{rows[-1].id}")

    def _newest(self, filter: Filter, limit: int, before: tuple[int, int]) -> list[RequestRow]:
        """The newest requests of a window up to a start and an id."""
        start_us, id = before
        ways, asked = self._single_conditions(filter, [filter.project_id])
        parameters: dict[str, Any] = {
            **asked, "start_us": filter.start_us, "end_us": min(filter.end_us, start_us + 1),
            "cursor_start_us": start_us, "cursor_id": id, "limit": limit,
        }  # fmt: skip
        found = [load("requests_found", conditions=way) for way in ways]
        return self._request_rows(load("requests", found="\nunion all\n".join(found)), parameters)


def _parse_cursor(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return NO_CURSOR
    if found := CURSOR.fullmatch(cursor):
        return int(found[1]), int(found[2])
    raise UnknownCursorError(
        "cursor is not one that this server handed out; leave it out to begin again"
    )
