"""Requests as a file that DuckDB writes itself: Parquet, or CSV that no spreadsheet runs.

Its own it reads where they lie. Those of another home are read page by page into a file beside.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from .base import EventStore, Filter, RequestRow
from .block import Column, text_column
from .duckdb_columns import registered
from .queries import load

#: Rows that are asked for at once.
PAGE: Final = 10_000
#: DuckDB's memory for what is another home's.
MEMORY: Final = "200MB"
#: The texts of a row; all else are numbers, or unknown.
TEXTS: Final = frozenset({
    "method", "route", "endpoint", "path", "outcome", "exception", "trace_id", "consumer",
    "instance", "host", "environment", "release",
})  # fmt: skip

#: How often it is asked how far it is (seconds).
EVERY: Final = 0.2
#: Visitors choose paths; see `dashboard/downloads.py`.
SHOWN: Final = """
    create or replace temp macro shown(value) as
    if(regexp_matches(value, '^[-=+@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]'), '''' || value, value)
"""
#: By the end of the file's name: how to write it, its times, and what is done to its texts.
KINDS: Final = {
    "parquet": ("format parquet, compression zstd", "make_timestamptz(c.start_us)", ""),
    "csv": (
        "format csv, header true",
        "strftime(make_timestamp(c.start_us), '%Y-%m-%dT%H:%M:%S.%fZ')",
        "shown",
    ),
}


def exported(
    cursor: duckdb.DuckDBPyConnection, file: Path, parameters: dict[str, Any]
) -> Iterator[float]:
    """Write the file; how far it is, in percent. Raises duckdb.Error."""
    yield from _written(cursor, "export", file, parameters)


def exported_by_pages(
    store: EventStore, project_id: int, start_us: int, end_us: int, file: Path
) -> Iterator[float]:
    """The same of any home; how far it is, in percent. Raises StoreUnavailableError, duckdb.Error.

    It takes the room of the requests beside the file until it is written, and little memory.
    """
    filter = Filter(project_id=project_id, start_us=start_us, end_us=end_us)
    beside = file.with_name(f"{file.name}.rows")
    try:
        with contextlib.closing(
            duckdb.connect(str(beside), config={"memory_limit": MEMORY, "threads": 2})
        ) as connection:
            connection.execute(load("export_table"))
            total, done, cursor = max(1, store.summary(filter).requests), 0, None
            while True:
                page = store.requests(filter, PAGE, cursor)
                _keep(connection, page.rows)
                done, cursor = done + len(page.rows), page.next
                yield min(99.0, 99 * done / total)
                if cursor is None:
                    break
            yield from (99.0 for _ in _written(connection, "export_rows", file, {}))
    finally:
        for left in (beside, beside.with_name(f"{beside.name}.wal")):
            left.unlink(missing_ok=True)


def _keep(connection: duckdb.DuckDBPyConnection, rows: Sequence[RequestRow]) -> None:
    if not rows:
        return
    columns: dict[str, Column] = {}
    for name in RequestRow.__struct_fields__:
        values = [getattr(row, name) for row in rows]
        if name not in TEXTS:
            unknown = [value is None for value in values]
            numbers = [0 if value is None else value for value in values]
            columns[name] = np.ma.array(np.array(numbers, "i8"), mask=unknown)
        else:
            columns[name] = text_column(values)
    with registered(connection, columns):
        connection.execute("insert into exported by name from block")


def _written(
    cursor: duckdb.DuckDBPyConnection, name: str, file: Path, parameters: dict[str, Any]
) -> Iterator[float]:
    options, start, text = KINDS[file.suffix[1:]]
    query = load(name, start=start, text=text)
    target = str(file).replace("'", "''")
    for setting in ("enable_progress_bar = true", "enable_progress_bar_print = false"):
        cursor.execute(f"set {setting}")
    cursor.execute(SHOWN)
    failed: list[Exception] = []

    def write() -> None:
        try:
            cursor.execute(f"copy ({query}) to '{target}' ({options})", parameters)
        except Exception as error:
            failed.append(error)

    writer = threading.Thread(target=write, name="export", daemon=True)
    writer.start()
    try:
        while writer.is_alive():
            yield max(0.0, cursor.query_progress())
            writer.join(EVERY)
    finally:
        cursor.interrupt()
        writer.join()
    if failed:
        raise failed[0]
