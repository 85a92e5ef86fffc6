"""Requests as a file: CSV and JSON, streamed page by page from the store, and bounded."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from flask import Response

from flask_performance.server.store.base import EventStore, Filter, RequestRow

from .formats import instant_us

#: So many rows are in a file at most, the newest.
MOST: Final = 100_000
#: Rows asked from the store at once.
PART: Final = 5_000

#: Columns of a file in their order: name with its unit, and where it comes from.
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
    "first_byte_ms": lambda row: _milliseconds(row.first_byte_us),
    "cpu_ms": lambda row: _milliseconds(row.cpu_us),
    "queue_ms": lambda row: _milliseconds(row.queue_us),
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
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


def download(kind: str, store: EventStore, filter: Filter, name: str) -> Response:
    """The newest MOST requests of a filter as a file. `kind` is "csv" or "json"."""
    lines = csv_lines if kind == "csv" else json_lines
    response = Response(lines(rows(store, filter)), content_type=TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response.headers["Cache-Control"] = "no-store"
    return response


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


def csv_lines(found: Iterator[RequestRow]) -> Iterator[str]:
    """A line a request, after the names."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    for row in found:
        yield _emptied(line)
        writer.writerow([harmless(value(row)) for value in COLUMNS.values()])
    yield _emptied(line)


def json_lines(found: Iterator[RequestRow]) -> Iterator[str]:
    """One array; an object and a line a request."""
    yield "["
    before = "\n"
    for row in found:
        members = {name: value(row) for name, value in COLUMNS.items()}
        yield before + msgspec.json.encode(members).decode()
        before = ",\n"
    yield "\n]\n"


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would run becomes one that it shows: visitors choose paths."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def _emptied(line: io.StringIO) -> str:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text


def _milliseconds(us: int | None) -> float | None:
    return None if us is None else us / 1000
