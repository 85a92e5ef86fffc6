"""The questions about single requests, which ClickHouse answers from their rows."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from flask_performance.server.store.base import (
    HOUR_US,
    MEASURES,
    MINUTE_US,
    ConsumerStats,
    Filter,
    Measure,
    Page,
    RequestRow,
    Spread,
    UnknownCursorError,
    UnmatchedPath,
)
from flask_performance.server.store.block import UNKNOWN
from flask_performance.server.store.details import whole_steps
from flask_performance.server.store.reader import Reader
from flask_performance.server.store.statistics import Columns, grouped_stats, spread_of
from flask_performance.wire import OUTCOMES

from .asking import ClickHouseAsking
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
ANYTIME: Final = "1"
#: Requests outside the steps that details answer, and those inside that are in no detail yet.
OUTSIDE: Final = "(c.start_us < $whole_from or c.start_us >= $whole_to)"
LATE: Final = (
    "c.start_us >= $whole_from and c.start_us < $whole_to and c.day >= $late_day and "
    "(bitShiftRight(c.id, 20) in $fresh or bitShiftRight(c.id, 20) global in ({covered}))"
)
COLUMNS: Final = (
    "id", "start_us", "duration_us", "operation_id", "instance_id", "environment", "release",
    "path", "status", "outcome", *NUMBERS, "exception", "trace_id", "consumer",
)  # fmt: skip


class ClickHouseSingles(ClickHouseAsking, Reader):
    """The questions of the pages of requests, and of what only single requests know."""

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
        if not rows or len(rows) > MOST_HOURS:
            return ANYTIME
        spans = (
            f"c.start_us >= {hour * HOUR_US} and c.start_us < {(hour + 1) * HOUR_US}"
            for (hour,) in rows
        )
        return f"({' or '.join(spans)})"

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
        rows: list[RequestRow] = []
        end_us = min(filter.end_us, cursor_start_us + 1)
        width_us = FIRST_LOOK_US
        while len(rows) <= limit and end_us > filter.start_us:
            start_us = max(filter.start_us, end_us - width_us)
            parameters |= {"start_us": start_us, "end_us": end_us, "limit": limit + 1 - len(rows)}
            places = self._rows(statement("requests", conditions=conditions.sql), parameters)
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

    def measures(self, filter: Filter) -> dict[Measure, Spread]:
        found = grouped_stats(self._measured(filter))
        return {MEASURES[group]: spread_of(stats) for group, stats in found.items()}

    def _measured(self, filter: Filter) -> Columns:
        """From what is rolled up of whole steps, and from the requests of the rest."""
        single = self._conditions("request", filter, [filter.project_id])
        rolled = self._conditions("rollup", filter, [filter.project_id])
        state = self._attempts.state()
        whole_from, whole_to = whole_steps("measures", filter)
        parameters = {
            **state.parameters, **single.parameters, **rolled.parameters,
            "start_us": filter.start_us, "end_us": filter.end_us,
            "whole_from": whole_from, "whole_to": whole_to,
        }  # fmt: skip
        rests = [OUTSIDE]
        if whole_from < whole_to and (state.fresh or state.minutes > state.upto):
            rests.append(LATE.format(covered=statement("covered")))
        cells = [statement("measured", rest=rest, conditions=single.sql) for rest in rests]
        if whole_from < whole_to:
            cells.append(statement("details_measures", conditions=rolled.sql))
        return self._columns(statement("measures", cells="\nunion all\n".join(cells)), parameters)

    def consumers(self, filter: Filter, limit: int) -> list[ConsumerStats]:
        names = self._single_columns("top_consumers", filter, limit=limit)["consumer"].tolist()
        if not names:
            return []
        columns = self._single_columns(
            "consumers", filter, named=tuple(names), names=names, places=list(range(len(names)))
        )
        return [
            ConsumerStats(**msgspec.structs.asdict(stats), consumer=names[place])
            for place, stats in sorted(grouped_stats(columns).items())
        ]

    def unmatched(self, filter: Filter, limit: int) -> list[UnmatchedPath]:
        operations = {id: key for key, id in self._operations_of([filter.project_id]).items()}
        conditions = self._conditions("request", filter, [filter.project_id])
        parameters = conditions.parameters | {
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "nowhere": tuple(id for id, key in operations.items() if not key.route),
        }
        frequent = self._rows(statement("frequent", conditions=conditions.sql), parameters)
        if not frequent:
            return []
        parameters["frequent"] = tuple(key for (key,) in frequent)
        rows = self._rows(statement("unmatched", conditions=conditions.sql), parameters)
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


def _both(one: UnmatchedPath, other: UnmatchedPath) -> UnmatchedPath:
    """The same path under an endpoint's old and new name."""
    newer = max(one, other, key=lambda each: each.last_us)
    return msgspec.structs.replace(
        newer,
        requests=one.requests + other.requests,
        several=one.several or other.several or one.consumer != other.consumer,
    )


def _parse_cursor(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return NO_CURSOR
    if found := CURSOR.fullmatch(cursor):
        return int(found[1]), int(found[2])
    raise UnknownCursorError(
        "cursor is not one that this server handed out; leave it out to begin again"
    )
