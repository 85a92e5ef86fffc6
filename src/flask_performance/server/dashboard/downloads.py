"""What a page shows as a file: CSV and JSON of a table, streamed, and bounded where it is long.

A panel says in its `table` what its rows are; one route hands out all of them, and the page of
requests has its own, which is read page by page from the store.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from flask import Response

from flask_performance.server.store.base import EventStore, Filter, RequestRow

from .formats import instant_us
from .window import SECOND_US, Window

#: So many rows are in a file of requests at most, the newest.
MOST: Final = 100_000
#: Rows asked from the store at once.
PART: Final = 5_000


@dataclass(frozen=True)
class Table:
    """Named columns, the unit in each name, and rows of values as programs want them."""

    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]


#: Columns of a file of requests in their order: name with its unit, and where it comes from.
COLUMNS: Final[dict[str, Callable[[RequestRow], Any]]] = {
    "id": lambda row: row.id,
    "start": lambda row: instant_us(row.start_us),
    "duration_ms": lambda row: row.duration_us / 1000,
    "method": lambda row: row.method,
    "route": lambda row: row.route,
    "path": lambda row: row.path,
    "endpoint": lambda row: row.endpoint,
    "status": lambda row: row.status,
    "outcome": lambda row: row.outcome,
    "exception": lambda row: row.exception,
    "first_byte_ms": lambda row: milliseconds(row.first_byte_us),
    "cpu_ms": lambda row: milliseconds(row.cpu_us),
    "queue_ms": lambda row: milliseconds(row.queue_us),
    "request_bytes": lambda row: row.request_bytes,
    "response_bytes": lambda row: row.response_bytes,
    "consumer": lambda row: row.consumer,
    "trace_id": lambda row: row.trace_id,
    "instance": lambda row: row.instance,
    "host": lambda row: row.host,
    "environment": lambda row: row.environment,
    "release": lambda row: row.release,
}
#: What a spreadsheet takes for the start of a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def download(kind: str, table: Table, name: str) -> Response:
    """A table as a file of this name. `kind` is "csv" or "json"."""
    lines = csv_lines if kind == "csv" else json_lines
    response = Response(lines(table), content_type=TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def file_name(project: str, shown: str, window: Window) -> str:
    """Who, what and when: "shop-operations-20260131T180000Z-20260131T190000Z"."""
    slug = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")[:40] or "project"
    from_to = (
        re.sub(r"[-:]|\.\d+", "", instant_us(at_us - at_us % SECOND_US))
        for at_us in (window.start_us, window.end_us)
    )
    return "-".join([slug, shown, *from_to])


def requests_table(store: EventStore, filter: Filter) -> Table:
    """The newest MOST requests of a filter."""
    found = rows(store, filter)
    return Table(tuple(COLUMNS), ([value(row) for value in COLUMNS.values()] for row in found))


def rows(store: EventStore, filter: Filter, most: int = MOST) -> Iterator[RequestRow]:
    """Newest first, a part at a time: a file never is in memory as a whole."""
    cursor = None
    while most > 0:
        page = store.requests(filter, min(PART, most), cursor)
        yield from page.rows
        most -= len(page.rows)
        cursor = page.next
        if cursor is None:
            return


def csv_lines(table: Table) -> Iterator[str]:
    """A line a row, after the names."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(table.columns)
    for row in table.rows:
        yield _emptied(line)
        writer.writerow([harmless(value) for value in row])
    yield _emptied(line)


def json_lines(table: Table) -> Iterator[str]:
    """One array; an object and a line a row."""
    yield "["
    before = "\n"
    for row in table.rows:
        members = dict(zip(table.columns, row, strict=True))
        yield before + msgspec.json.encode(members).decode()
        before = ",\n"
    yield "\n]\n"


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would run becomes one that it shows: visitors choose paths."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def milliseconds(us: float | None) -> float | None:
    """To the microsecond, and None where nothing was measured."""
    return None if us is None else round(us / 1000, 3)


def _emptied(line: io.StringIO) -> str:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text
