"""The questions about single requests, which ClickHouse answers from their rows."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from flask_performance.server.store.base import (
    HOUR_US,
    MINUTE_US,
    Filter,
    Page,
    RequestRow,
    UnknownCursorError,
)
from flask_performance.server.store.block import UNKNOWN
from flask_performance.server.store.reader import Reader
from flask_performance.server.store.statistics import Columns
from flask_performance.wire import OUTCOMES

from .asking import ClickHouseAsking, bucket_of
from .attempts import PLACE_BITS, day_of
from .queries import statement

#: After everything: where a list begins.
NO_CURSOR: Final = (2**63 - 1, 2**63 - 1)
#: Start and id of the last row, both of which fit 63 bits.
CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,19})", re.ASCII)
#: The newest requests are looked for in this much of a window, then in so many times as much.
FIRST_LOOK_US: Final = 2 * MINUTE_US
WIDER: Final = 8
#: Of a request's own columns, in the order of `RequestRow`: unknown where they are -1.
NUMBERS: Final = ("first_byte_us", "request_bytes", "response_bytes", "cpu_us", "queue_us")
#: The slowest requests of a longer window lie in few hours, of which only these are looked at.
LONG_US: Final = 12 * HOUR_US
MOST_HOURS: Final = 60
ANYTIME, NEVER = "1", "0"
COLUMNS: Final = (
    "id", "start_us", "duration_us", "operation_id", "instance_id", "environment", "release",
    "path", "status", "outcome", *NUMBERS, "exception", "trace_id", "consumer",
)  # fmt: skip


class ClickHouseSingles(ClickHouseAsking, Reader):
    """The questions of the pages of requests."""

    def request(self, project_id: int, id: int) -> RequestRow | None:
        day = day_of(id >> PLACE_BITS)
        parameters = {
            "project_id": project_id,
            "id": id,
            "from_day": f"{day - timedelta(days=1)}",
            "to_day": f"{day + timedelta(days=1)}",
        }
        found = self._request_rows(project_id, self._rows(statement("request"), parameters))
        return found[0] if found else None

    def slowest(self, filter: Filter, limit: int) -> list[RequestRow]:
        conditions = self._conditions("request", filter, [filter.project_id])
        least = self._bucket_of_the(limit, filter)
        parameters = conditions.parameters | {
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "least": least,
            "limit": limit,
        }
        hours = self._hours_of(least, filter)
        asked = statement("slowest", conditions=conditions.sql, hours=hours)
        places = self._rows(asked, parameters)
        return self._request_rows(filter.project_id, [place[:2] for place in places])

    def _hours_of(self, least: int, filter: Filter) -> str:
        """A condition: the few hours that have requests in such a bucket, as rollups know."""
        if filter.single or filter.end_us - filter.start_us < LONG_US:
            return ANYTIME
        cells = self._cells(filter, step_us=HOUR_US)
        which = {"least": least, "hour_us": HOUR_US, "most": MOST_HOURS + 1}
        rows = self._rows(statement("slowest_steps", cells=cells.sql), cells.parameters | which)
        if len(rows) > MOST_HOURS:
            return ANYTIME
        if not rows:
            return NEVER
        spans = (
            f"c.start_us >= {hour * HOUR_US} and c.start_us < {(hour + 1) * HOUR_US}"
            for (hour,) in rows
        )
        return f"({' or '.join(spans)})"

    def _slow_hours_of(self, filter: Filter) -> str:
        """The same, where only requests from some duration on are asked for."""
        rest = msgspec.structs.replace(filter, duration_from_us=None)
        if filter.duration_from_us is None or rest.single:
            return ANYTIME
        return self._hours_of(bucket_of(filter.duration_from_us), rest)

    def _bucket_of_the(self, limit: int, filter: Filter) -> int:
        """The bucket above which so many requests are at least, as far as rollups know: of those
        that are not deleted."""
        if filter.single:
            return 0
        kept_us = max(filter.start_us, self._raw_from([filter.project_id]))
        columns = self._histogram("0", msgspec.structs.replace(filter, start_us=kept_us))
        over = columns["requests"][::-1].cumsum() >= limit
        return int(columns["bucket"][::-1][over.argmax()]) if over.any() else 0

    def requests(self, filter: Filter, limit: int, cursor: str | None = None) -> Page:
        """ClickHouse reads all that it may have to sort: it is asked for a little at first."""
        cursor_start_us, cursor_id = _parse_cursor(cursor)
        conditions = self._conditions("request", filter, [filter.project_id])
        parameters = conditions.parameters | {
            "cursor_start_us": cursor_start_us,
            "cursor_id": cursor_id,
        }
        hours = self._slow_hours_of(filter)
        asked = statement("requests", conditions=conditions.sql, hours=hours)
        rows: list[RequestRow] = []
        end_us = min(filter.end_us, cursor_start_us + 1)
        width_us = FIRST_LOOK_US
        while len(rows) <= limit and end_us > filter.start_us:
            start_us = max(filter.start_us, end_us - width_us)
            parameters |= {"start_us": start_us, "end_us": end_us, "limit": limit + 1 - len(rows)}
            places = self._rows(asked, parameters) if hours != NEVER else []
            rows += self._request_rows(filter.project_id, places)
            end_us, width_us = start_us, width_us * WIDER
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, f"{rows[-1].start_us}-{rows[-1].id}" if more else None)

    def _request_rows(self, project_id: int, places: Sequence[tuple[int, int]]) -> list[RequestRow]:
        """The requests that lie at some places (start and id), with the names of what their rows
        know by ids."""
        if not places:
            return []
        which = {
            "project_id": project_id,
            "starts": tuple({(project_id, start_us) for start_us, _ in places}),
            "ids": tuple(id for _, id in places),
        }
        asked = statement("singles", columns=", ".join(COLUMNS))
        by_id = {row["id"]: row for row in self._named_rows(asked, which)}
        rows = [by_id[id] for _, id in places if id in by_id]
        operations = {id: key for key, id in self._operations_of([project_id]).items()}
        instances = self._names_of_instances(project_id, {row["instance_id"] for row in rows})
        found = []
        for row in rows:
            key = operations[row.pop("operation_id")]
            wire_id, host = instances[row.pop("instance_id")]
            path = row.pop("path")
            numbers = {name: None if row[name] == UNKNOWN else row[name] for name in NUMBERS}
            named = {
                "method": key.method, "route": key.route, "endpoint": key.endpoint,
                "path": key.route if path is None else path, "instance": wire_id, "host": host,
                "outcome": OUTCOMES[row["outcome"]],
            }  # fmt: skip
            found.append(RequestRow(**(row | numbers | named)))
        return found

    def _names_of_instances(
        self, project_id: int, ids: set[int]
    ) -> dict[int, tuple[str, str | None]]:
        rows = self._rows(
            statement("names_of_instances"), {"project_id": project_id, "ids": tuple(ids)}
        )
        return {id: (wire_id, host) for id, wire_id, host in rows}

    def _single_columns(self, name: str, filter: Filter, **more: Any) -> Columns:
        conditions = self._conditions("request", filter, [filter.project_id])
        window = {
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "the_project": filter.project_id,
        }
        return self._columns(
            statement(name, conditions=conditions.sql), conditions.parameters | window | more
        )


def _parse_cursor(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return NO_CURSOR
    if found := CURSOR.fullmatch(cursor):
        return int(found[1]), int(found[2])
    raise UnknownCursorError(
        "cursor is not one that this server handed out; leave it out to begin again"
    )
