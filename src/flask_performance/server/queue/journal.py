"""The embedded home of the queue: a SQLite file in WAL mode, written by one thread.

Group commit: while one transaction is being synced to disk, everything that arrives waits and goes
into the next one together, so a hundred clients share one fsync. An entry's id is its position; ids
only ever grow. The reader says which position it has stored; entries up to it are forgotten with
the next write.
"""

import asyncio
import contextlib
import logging
import shutil
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from ..counts import SHORT, Depth, Failing, Histogram, Trouble
from ..settings import SettingsError
from . import dead_letters
from .answers import Waiter, answer
from .base import Envelope, Kept, Queue, QueueFullError, QueueUnavailableError
from .wal import Damage, damage

log = logging.getLogger(__name__)

#: Version of the tables below (`pragma user_version`).
SCHEMA: Final = 2
TABLES: Final = """
    create table entry (
        id integer primary key autoincrement,
        project_id integer not null, received_us integer not null,
        gzip integer not null, body blob not null,
        counted integer not null default 0
    );
    create table dead_letter (
        id integer primary key,
        project_id integer not null, received_us integer not null,
        gzip integer not null, body blob not null,
        reason text not null,
        counted integer not null default 0
    );
"""
#: From the schema of the key to the next one.
MIGRATIONS: Final = {
    1: """
    alter table entry add column counted integer not null default 0;
    alter table dead_letter add column counted integer not null default 0;
    """
}
#: What may wait in the file before clients are told to come later (bytes of bodies).
MAX_WAITING: Final = 2 * 1024**3
#: What may wait for the disk at one moment (bytes of bodies).
MAX_UNSYNCED: Final = 64 * 1024**2

#: Of envelopes whose message is decoded the newest are kept at hand, up to this weight (bytes of
#: JSON; as objects they take some eight times as much). Others are read from the file again.
MAX_AT_HAND: Final = 8 * 1024**2
#: Rows of one statement. `executemany` would let the interpreter go and win it back row by row, and
#: on a busy event loop each time takes longer than the row.
ROWS: Final = 64


class Journal(Queue):
    """A durable queue in one file. Raises SettingsError where the file cannot be used."""

    def __init__(self, path: Path, *, max_waiting: int = MAX_WAITING) -> None:
        self._path = path
        self._max_waiting = max_waiting
        try:
            found = damage(path)
            if found is not None:
                _set_log_aside(path, found)
            self._writer_connection = self._open()
            self._reader_connection = self._connect()
            if found is not None:
                self._check()
            self._waiting = self._measure()
        except (sqlite3.Error, OSError) as error:
            raise SettingsError(_not_usable(path, "opened", error)) from error
        self._condition = threading.Condition()
        self._pending: list[tuple[Envelope, Waiter]] = []
        self._unsynced = 0
        self._forgettable = 0
        self.commit_seconds = Histogram(SHORT)
        self.trouble = Trouble()
        self._closing = False
        self._idle = False
        #: Entries that are in the file and not stored yet, as they came.
        self._at_hand: deque[tuple[int, Envelope]] = deque()
        self._weight = 0
        self._arrived = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=10
        )
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = self._connect()
        found = connection.execute("pragma user_version").fetchone()[0]
        if found == 0:
            connection.executescript(f"begin; {TABLES} pragma user_version = {SCHEMA}; commit;")
        if found > SCHEMA:
            connection.close()
            raise SettingsError(
                f"The journal {self._path} was written by a newer version of Flask-Performance "
                f"(its schema is {found}, this version knows up to {SCHEMA}). "
                "Install that version or a later one; nothing was changed."
            )
        for schema in range(max(found, 1), SCHEMA) if found else ():
            connection.executescript(
                f"begin immediate; {MIGRATIONS[schema]} pragma user_version = {schema + 1}; commit;"
            )
        return connection

    def _check(self) -> None:
        """Raises sqlite3.DatabaseError where what is left of a damaged file is no database."""
        [said] = self._reader_connection.execute("pragma quick_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(str(said).replace("\n", " "))

    def _measure(self) -> int:
        query = "select coalesce(sum(length(body)), 0) from entry"
        return int(self._reader_connection.execute(query).fetchone()[0])

    def start_after(self, position: int) -> None:
        """Forget what is stored already, and never hand out a position the store has seen.

        The second matters when the file was lost or replaced: new entries would otherwise be taken
        for old ones. Call it before the first `put`. Raises SettingsError.
        """
        with self._condition:
            connection = self._writer_connection
            try:
                connection.execute("begin immediate")
                self._tell_of_a_gap(position)
                connection.execute("delete from entry where id <= ?", [position])
                updated = connection.execute(
                    "update sqlite_sequence set seq = max(seq, ?) where name = 'entry'", [position]
                )
                if not updated.rowcount:
                    connection.execute(
                        "insert into sqlite_sequence values ('entry', ?)", [position]
                    )
                connection.execute("commit")
                self._waiting = self._measure()
                self._forgettable = position
            except sqlite3.Error as error:
                _roll_back(connection)
                raise SettingsError(_not_usable(self._path, "written", error)) from error

    def _tell_of_a_gap(self, position: int) -> None:
        """What this file forgot because the store had it, and the store has not any more."""
        [first] = self._writer_connection.execute(
            "select coalesce((select min(id) from entry), "
            "(select seq + 1 from sqlite_sequence where name = 'entry'), 1)"
        ).fetchone()
        if (missing := first - 1 - position) > 0:
            log.error(
                "The event store has lost %(missing)d batches that it had stored: its file or the "
                "log beside it is damaged, or older than the journal (a backup, or a new one). A "
                "backup may have them; the ledger counts them as lost where their process goes on.",
                {"missing": missing},
            )  # fmt: skip

    # -- writing ---------------------------------------------------------------------------------

    def put_soon(self, envelope: Envelope, kept: Kept) -> None:
        waiter = (asyncio.get_running_loop(), kept)
        size = len(envelope.body)
        with self._condition:
            if self._closing:
                raise QueueUnavailableError("the server is stopping")
            unsynced = self._unsynced + size
            if self._waiting + unsynced > self._max_waiting or unsynced > MAX_UNSYNCED:
                raise QueueFullError
            self._pending.append((envelope, waiter))
            self._unsynced = unsynced
            if self._idle:
                self._idle = False
                self._condition.notify()

    def forget(self, position: int, size: int) -> None:
        """Everything up to this position is stored; `size` bytes need no room any more."""
        with self._condition:
            self._forgettable = position
            self._waiting -= size

    def _run(self) -> None:
        while True:
            with self._condition:
                while not (self._pending or self._closing):
                    self._idle = True
                    self._condition.wait()
                pending, self._pending = self._pending, []
                self._waiting += self._unsynced
                unsynced, self._unsynced = self._unsynced, 0
                forgettable, closing = self._forgettable, self._closing
            began = time.perf_counter()
            error = self._commit([envelope for envelope, _ in pending], forgettable)
            self.commit_seconds.note(time.perf_counter() - began)
            if error is not None:
                self.trouble.begins("the journal cannot be written")
                with self._condition:
                    self._waiting -= unsynced
            elif pending:
                self.trouble.ends()
                self._arrived.set()
            answer([waiter for _, waiter in pending], error)
            if closing and not pending:
                return

    def _commit(self, envelopes: list[Envelope], forgettable: int) -> QueueUnavailableError | None:
        connection, last = self._writer_connection, 0
        try:
            connection.execute("begin immediate")
            # First, so that on a full disk its pages take what comes next.
            connection.execute("delete from entry where id <= ?", [forgettable])
            for place in range(0, len(envelopes), ROWS):
                rows = envelopes[place : place + ROWS]
                values = [v for e in rows for v in (e.project_id, e.received_us, e.gzip, e.body)]
                last = connection.execute(_insert(len(rows)), values).lastrowid or 0
            connection.execute("commit")
        except Exception as error:  # this thread must outlive whatever happens to one commit
            _roll_back(connection)
            return QueueUnavailableError(f"the journal cannot be written: {error}")
        self._keep_at_hand(envelopes, last)
        return None

    def _keep_at_hand(self, envelopes: list[Envelope], last: int) -> None:
        """Only this thread writes while its transaction lasts, so that ids have no gaps."""
        with self._condition:
            for id, envelope in enumerate(envelopes, last - len(envelopes) + 1):
                fits = self._weight + envelope.weight <= MAX_AT_HAND
                if envelope.message is not None and fits:
                    self._at_hand.append((id, envelope))
                    self._weight += envelope.weight

    def close(self) -> None:
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join()
        self._arrived.set()
        self._writer_connection.close()
        self._reader_connection.close()

    # -- reading ---------------------------------------------------------------------------------

    def wait(self, seconds: float) -> bool:
        """Wait until something was put since the last call, at most so long."""
        arrived = self._arrived.wait(seconds)
        self._arrived.clear()
        return arrived

    def wake(self) -> None:
        """End a `wait` from another thread."""
        self._arrived.set()

    def read(self, after: int, limit: int, size: int) -> list[tuple[int, Envelope]]:
        """Entries behind a position, oldest first: at most `limit`, or about `size` bytes.

        Raises QueueUnavailableError, as `bury` does.
        """
        if entries := self._read_at_hand(after, limit, size):
            return entries
        with _unavailable("read"):
            rows = self._reader_connection.execute(
                "select id, project_id, received_us, gzip, body, counted from entry "
                "where id > ? order by id limit ?",
                [after, limit],
            )
            for id, project_id, received_us, gzip, body, counted in rows:
                entries.append((id, Envelope(project_id, received_us, bool(gzip), body, counted)))
                size -= len(body)
                if size <= 0:
                    break
            rows.close()
        return entries

    def _read_at_hand(self, after: int, limit: int, size: int) -> list[tuple[int, Envelope]]:
        """Nothing, unless the very next entry is at hand."""
        entries: list[tuple[int, Envelope]] = []
        with self._condition:
            while self._at_hand and self._at_hand[0][0] <= after:
                self._weight -= self._at_hand.popleft()[1].weight
            for id, envelope in self._at_hand:
                if id != after + 1 + len(entries) or len(entries) == limit or size <= 0:
                    break
                entries.append((id, envelope))
                size -= len(envelope.body)
        return entries

    def bury(self, id: int, envelope: Envelope, reason: str, counted: int = 0) -> None:
        """Keep an envelope that cannot be stored apart from the others, with the reason.

        `counted`: how many requests of it the ledger counts as dropped.
        """
        with _unavailable("written"):
            self._reader_connection.execute(
                "insert or replace into dead_letter values (?, ?, ?, ?, ?, ?, ?)",
                [
                    id,
                    envelope.project_id,
                    envelope.received_us,
                    envelope.gzip,
                    envelope.body,
                    reason,
                    counted,
                ],
            )

    def replay(self, ids: Collection[int] | None) -> int:
        """Put dead letters (None: all) into the queue again; how many. Raises sqlite3.Error."""
        replayed, size = dead_letters.replay(self._path, ids)
        with self._condition:
            self._waiting += size
        self._arrived.set()
        return replayed

    def depth(self) -> Depth:
        """What waits. Cheap, on a connection of its own. Raises sqlite3.Error."""
        with self._condition:
            behind, waiting = self._forgettable, self._waiting
        with contextlib.closing(sqlite3.connect(self._path, timeout=1)) as connection:
            [last] = connection.execute("select coalesce(max(id), 0) from entry").fetchone()
            oldest = connection.execute(
                "select received_us from entry where id > ? order by id limit 1", [behind]
            ).fetchone()
        batches = max(0, last - behind)
        return Depth(batches, waiting, self._max_waiting, oldest[0] if oldest else None)

    def failing(self) -> Failing | None:
        """What apps that post now would meet. Raises sqlite3.Error."""
        depth = self.depth()
        if self.trouble.now is None and depth.bytes >= depth.limit:
            return Failing("more waits than may be kept", (depth.oldest_us or 0) / 1_000_000)
        return self.trouble.now

    @property
    def waiting_bytes(self) -> int:
        """Bytes of bodies that are durable and not stored yet."""
        return self._waiting


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


def _not_usable(path: Path, what: str, error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"The journal {path} is in use ({error}). Stop the program that has it open."
    return (
        f"The journal {path} cannot be {what} ({error}). If the disk is full or read-only, mend "
        f"that. If the file is damaged, move it, {path.name}-wal and {path.name}-shm away and "
        "start anew: what was acknowledged in the last moments and is not in the event store is "
        "gone then, and so are the dead letters."
    )


@contextlib.contextmanager
def _unavailable(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise QueueUnavailableError(f"the journal cannot be {what}: {error}") from error


def _roll_back(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("rollback")


@cache
def _insert(rows: int) -> str:
    values = ", ".join(["(?, ?, ?, ?)"] * rows)
    return f"insert into entry (project_id, received_us, gzip, body) values {values}"  # noqa: S608  # nosec B608
