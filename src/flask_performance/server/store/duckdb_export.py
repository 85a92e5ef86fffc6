"""Requests as a file that DuckDB writes itself: Parquet, or CSV that no spreadsheet runs."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb

from .queries import load

#: How often it is asked how far it is (seconds).
EVERY: Final = 0.2
#: Visitors choose paths; see `dashboard/downloads.py`.
SHOWN: Final = """
    create or replace temp macro shown(value) as
    if(value[1] in ('=', '+', '-', '@', chr(9), chr(13)), '''' || value, value)
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
    options, start, text = KINDS[file.suffix[1:]]
    query = load("export", start=start, text=text)
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
