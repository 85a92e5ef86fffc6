"""A copy of a data folder at one moment, whatever goes on in it.

Ingest waits while journal and store are copied, in this order and under the store's lock: what was
acknowledged by then is in the copy of the one or of the other, and the position in the store says
where. The collector goes on: what it acknowledges meanwhile waits in the journal. The accounts are
copied last, so that every project with rows is there.
"""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from flask_performance.server.settings import Settings
from flask_performance.server.store.duckdb import DuckDBStore

from .errors import UpkeepError

#: Bytes copied at once.
PART: Final = 16 * 1024**2
#: The disk keeps at least so much free (bytes).
SPARE: Final = 64 * 1024**2


def take(settings: Settings, store: DuckDBStore | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Copy everything into `folder`. `store`: the open one; None while nothing has it open.

    Answers how much is copied, and how long ingest had to wait. Raises UpkeepError.
    """
    refuse_scaled(settings)
    _check_room(settings)
    began = time.monotonic()
    with contextlib.nullcontext(settings.events) if store is None else store.still():
        _copy_database(settings.journal, folder)
        yield from _copy_file(settings.events, folder)
        log = settings.events.with_name(f"{settings.events.name}.wal")
        if log.exists():
            yield from _copy_file(log, folder)
    paused = time.monotonic() - began
    _copy_database(settings.accounts_database, folder)
    if settings.secret_key.exists():
        shutil.copyfile(settings.secret_key, folder / settings.secret_key.name)
    yield {"paused": 0.0 if store is None else paused}


def refuse_scaled(settings: Settings) -> None:
    """A backup is of one folder, and holds all or nothing. Raises UpkeepError."""
    if settings.store_url is not None:
        raise UpkeepError(
            "A backup is of one data folder, and here three servers have what is in one: use "
            "pg_dump for the accounts, and clickhouse-backup or ALTER TABLE … FREEZE for the "
            "requests; keep FLASK_PERFORMANCE_SECRET, too. The broker has only what is on its way."
        )
    if settings.database_url is not None:
        raise UpkeepError(
            "The accounts are in PostgreSQL and not in the data folder, and a backup without them "
            "is none: use pg_dump, and copy the data folder while `serve` is stopped."
        )


def _check_room(settings: Settings) -> None:
    files = (settings.journal, settings.events, settings.accounts_database)
    needed = sum(file.stat().st_size for file in files if file.exists())
    free = shutil.disk_usage(settings.data).free
    if needed + SPARE > free:
        raise UpkeepError(
            f"A copy needs {needed / 1e6:,.0f} MB, and the disk of {settings.data} has only "
            f"{free / 1e6:,.0f} MB free. Make room there; the copy is deleted when it is packed."
        )


def _copy_database(file: Path, folder: Path) -> None:
    """A SQLite file as its newest transaction left it; writers go on meanwhile."""
    if file.exists():
        try:
            with contextlib.closing(sqlite3.connect(file, timeout=10)) as connection:
                connection.execute("vacuum into ?", [str(folder / file.name)])
        except sqlite3.Error as error:
            raise UpkeepError(f"{file} cannot be copied ({error}).") from error


def _copy_file(file: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Where the file system can, the copy shares its blocks with the file, and takes no time."""
    if not file.exists():
        return
    total, done = file.stat().st_size, 0
    with file.open("rb") as source, (folder / file.name).open("xb") as copy:
        while part := _copy_part(source.fileno(), copy.fileno()):
            done += part
            yield {"percent": min(99.9, 100 * done / max(total, done))}


def _copy_part(source: int, copy: int) -> int:
    try:
        return os.copy_file_range(source, copy, PART)
    except (AttributeError, OSError):  # not this system, or not between these files
        part = os.read(source, PART)
        os.write(copy, part)
        return len(part)
