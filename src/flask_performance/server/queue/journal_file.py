"""The journal's file: its tables, opening it, and what to tell who cannot use it.

Every entry has a checksum. SQLite has one for the frames of its log, which end with the next
checkpoint, and none for what it then holds for hours while a store is away.
"""

import logging
import shutil
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import Final

from ..settings import SettingsError
from .base import Envelope
from .wal import Damage, damage

log = logging.getLogger(__name__)

#: Version of the tables below (`pragma user_version`).
SCHEMA: Final = 3
TABLES: Final = """
    create table entry (
        id integer primary key autoincrement,
        project_id integer not null, received_us integer not null,
        gzip integer not null, body blob not null,
        counted integer not null default 0, crc integer
    );
    create table dead_letter (
        id integer primary key,
        project_id integer not null, received_us integer not null,
        gzip integer not null, body blob not null,
        reason text not null,
        counted integer not null default 0, crc integer
    );
"""
#: From the schema of the key to the next one.
MIGRATIONS: Final = {
    1: """
    alter table entry add column counted integer not null default 0;
    alter table dead_letter add column counted integer not null default 0;
    """,
    2: """
    alter table entry add column crc integer;
    alter table dead_letter add column crc integer;
    """,
}

#: The log beside the file takes so much between two transactions, however much one brought (bytes).
MOST_LOG: Final = 16 * 1024**2

#: The checksum of what was found damaged: nothing has it.
DAMAGED: Final = -1
#: What of an entry its checksum covers beside the body.
_HEAD: Final = struct.Struct("<qq?")


def checksum(project_id: int, received_us: int, gzip: bool, body: bytes) -> int:
    """CRC-32 of what an entry is."""
    return zlib.crc32(body, zlib.crc32(_HEAD.pack(project_id, received_us, gzip)))


def read_envelope(
    project_id: int, received_us: int, gzip: int, body: bytes, counted: int, crc: int | None
) -> Envelope:
    """From a row, whose damage it notes; rows of schema 2 and before have no checksum."""
    damaged = crc is not None and crc != checksum(project_id, received_us, bool(gzip), body)
    return Envelope(project_id, received_us, bool(gzip), body, counted, damaged=damaged)


def open_file(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Two connections: to write with and to read with. Raises SettingsError, sqlite3.Error."""
    found = damage(path)
    if found is not None:
        _set_log_aside(path, found)
    writer = _connect(path)
    try:
        _migrate(writer, path)
        reader = _connect(path)
        if found is not None:
            _check(reader)
    except BaseException:
        writer.close()
        raise
    return writer, reader


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute(f"pragma journal_size_limit = {MOST_LOG}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def sizes(connection: sqlite3.Connection) -> tuple[int, int]:
    """Of the file: bytes that hold something, and bytes that are used again before it grows."""
    pages, free, page = (
        int(connection.execute(f"pragma {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page, free * page


def used_bytes(path: Path) -> int:
    """What a journal holds; from beside those who work with it. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=1)) as connection:
        return sizes(connection)[0]


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("pragma user_version").fetchone()[0]
    if found == 0:
        connection.executescript(f"begin; {TABLES} pragma user_version = {SCHEMA}; commit;")
    if found > SCHEMA:
        raise SettingsError(
            f"The journal {path} was written by a newer version of Flask-Performance "
            f"(its schema is {found}, this version knows up to {SCHEMA}). "
            "Install that version or a later one; nothing was changed."
        )
    for schema in range(max(found, 1), SCHEMA) if found else ():
        connection.executescript(
            f"begin immediate; {MIGRATIONS[schema]} pragma user_version = {schema + 1}; commit;"
        )


def _check(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError where what is left of a damaged file is no database."""
    [said] = connection.execute("pragma quick_check(1)").fetchone()
    if said != "ok":
        raise sqlite3.DatabaseError(str(said).replace("\n", " "))


def _set_log_aside(path: Path, found: Damage) -> None:
    """Keep a copy for who wants to look, and say what is gone. Raises OSError."""
    file = path.with_name(f"{path.name}-wal")
    kept = path.with_name(f"{path.name}-wal.damaged")
    if file.exists():
        shutil.copyfile(file, kept)
        if found.log_is_older:
            file.unlink()
    log.error(
        "The journal's log %(file)s is damaged: %(pages)d pages that were durable cannot be read, "
        "and batches that were acknowledged in the last moments before the end are gone with them. "
        "The ledger counts them as lost where their process goes on. A copy of the damaged file is "
        "%(kept)s.",
        {"file": file, "pages": found.frames, "kept": kept},
    )  # fmt: skip


def not_usable(path: Path, what: str, error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"The journal {path} is in use ({error}). Stop the program that has it open."
    return (
        f"The journal {path} cannot be {what} ({error}). If the disk is full or read-only, mend "
        f"that. If the file is damaged, move it, {path.name}-wal and {path.name}-shm away and "
        "start anew: what was acknowledged in the last moments and is not in the event store is "
        "gone then, and so are the dead letters."
    )
