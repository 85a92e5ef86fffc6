"""The embedded home of the queue: a SQLite file in WAL mode, written by one thread.

Group commit: while one transaction is being synced to disk, everything that arrives waits and goes
into the next one together, so a hundred clients share one fsync. An entry's id is its position; ids
only ever grow. The reader says which position it has stored; entries up to it are forgotten with
the next write.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from ..counts import SHORT, Depth, Failing, Histogram, Trouble
from ..settings import SettingsError
from . import dead_letters
from .answers import Waiter, answer
from .base import Envelope, Kept, Queue, QueueFullError, QueueUnavailableError
from .dead_letters import MAX_BURIED
from .journal_file import DAMAGED, checksum, not_usable, open_file, read_envelope, sizes

log = logging.getLogger(__name__)

#: What may wait in the file before clients are told to come later (bytes of bodies).
MAX_WAITING: Final = 2 * 1024**3
#: What may wait for the disk at one moment (bytes of bodies).
MAX_UNSYNCED: Final = 64 * 1024**2

#: Of envelopes whose message is decoded the newest are kept at hand, up to this weight (bytes of
#: JSON; with numbers in arrays they take about twice as much). Others are read from the file again.
MAX_AT_HAND: Final = 24 * 1024**2
#: Rows of one statement. Each call of SQLite's lets the interpreter go, and to win it back from a
#: busy event loop takes longer than the call.
ROWS: Final = 128
#: Entries that one commit forgets at most: those who wait for it are not to wait for the past.
FORGET: Final = 1_000
#: More than this that nothing needs any more is given back to the disk, when nothing waits; and
#: only where the rest is less, because nothing is acknowledged meanwhile (bytes).
UNUSED: Final = 64 * 1024**2
#: The writer looks by itself whether something came, this often: who was to wake it may have had
#: an event loop that ended (seconds).
LOOK: Final = 0.5


class Journal(Queue):
    """A durable queue in one file. Raises SettingsError where the file cannot be used."""

    def __init__(
        self,
        path: Path,
        *,
        max_waiting: int = MAX_WAITING,
        max_buried: int = MAX_BURIED,
    ) -> None:
        self._path = path
        self._max_waiting, self._max_buried = max_waiting, max_buried
        try:
            self._writer_connection, self._reader_connection = open_file(path)
            self._waiting = self._measure()
            #: Bytes of the dead letters, or more: others may have deleted some.
            self._buried = dead_letters.size(path)
        except (sqlite3.Error, OSError) as error:
            raise SettingsError(not_usable(path, "opened", error)) from error
        self._condition = threading.Condition()
        self._pending: list[tuple[Envelope, Waiter]] = []
        self._unsynced = 0
        self._forgettable = self._forgotten = 0
        #: Whether something was forgotten since the file was last looked at.
        self._is_emptier = True
        self.commit_seconds = Histogram(SHORT)
        self.trouble = Trouble()
        self._closing = False
        self._idle = False
        #: Entries that are in the file and not stored yet, as they came.
        self._at_hand: deque[tuple[int, Envelope]] = deque()
        self._at_hand_lock = threading.Lock()
        self._weight = 0
        self._arrived = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

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
                self._forgettable = self._forgotten = position
            except sqlite3.Error as error:
                _roll_back(connection)
                raise SettingsError(not_usable(self._path, "written", error)) from error

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
        loop = asyncio.get_running_loop()
        size = len(envelope.body)
        with self._condition:
            if self._closing:
                raise QueueUnavailableError("the server is stopping")
            unsynced = self._unsynced + size
            if self._waiting + unsynced > self._max_waiting or unsynced > MAX_UNSYNCED:
                raise QueueFullError
            self._pending.append((envelope, (loop, kept)))
            self._unsynced = unsynced
            if self._idle:
                self._idle = False
                # When this turn of the loop is over: all that it brings shares a commit.
                loop.call_soon(self._wake_writer)

    def _wake_writer(self) -> None:
        with self._condition:
            self._condition.notify()

    def forget(self, position: int, size: int) -> None:
        """Everything up to this position is stored; `size` bytes need no room any more."""
        with self._condition:
            self._forgettable = position
            self._waiting -= size

    def _run(self) -> None:
        while True:
            self._rest()
            with self._condition:
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

    def _rest(self) -> None:
        """Until there is something to do. Whoever comes meanwhile is to wait for little else."""
        patience = LOOK
        while True:
            with self._condition:
                if not (self._pending or self._closing):
                    self._idle = True
                    self._condition.wait(patience)
                self._idle = False
                if self._pending or self._closing:
                    return
            patience = 0.0 if self._tidied() else LOOK

    def _tidied(self) -> bool:
        """Forget some of what is stored, or give room back; whether there may be more to do."""
        if self._forgotten < self._forgettable:
            return self._commit([], min(self._forgettable, self._forgotten + FORGET)) is None
        if self._is_emptier:
            self._is_emptier = False
            self._give_back()
        return False

    def _give_back(self) -> None:
        """Make the file smaller, where a store that was away for long made it large."""
        connection = self._writer_connection
        with contextlib.suppress(sqlite3.Error):  # it stays as large as it is
            used, unused = sizes(connection)
            if unused > UNUSED > used:
                connection.execute("vacuum")
                # The file itself becomes smaller with this, as soon as nobody reads the old one.
                connection.execute("pragma wal_checkpoint(passive)")

    def _commit(self, envelopes: list[Envelope], forgettable: int) -> QueueUnavailableError | None:
        connection, last = self._writer_connection, 0
        forgotten = min(forgettable, self._forgotten + FORGET) if envelopes else forgettable
        # A single statement is a transaction by itself.
        single = forgotten == self._forgotten and len(envelopes) <= ROWS
        try:
            if not single:
                connection.execute("begin immediate")
                # First, so that on a full disk its pages take what comes next.
                connection.execute("delete from entry where id <= ?", [forgotten])
            for place in range(0, len(envelopes), ROWS):
                rows = envelopes[place : place + ROWS]
                values = [value for one in rows for value in _row(one)]
                last = connection.execute(_insert(len(rows)), values).lastrowid or 0
            if not single:
                connection.execute("commit")
        except Exception as error:  # this thread must outlive whatever happens to one commit
            _roll_back(connection)
            return QueueUnavailableError(f"the journal cannot be written: {error}")
        self._is_emptier |= forgotten > self._forgotten
        self._forgotten = forgotten
        self._keep_at_hand(envelopes, last)
        return None

    def _keep_at_hand(self, envelopes: list[Envelope], last: int) -> None:
        """Only this thread writes while its transaction lasts, so that ids have no gaps."""
        kept, weight = [], self._weight
        for id, envelope in enumerate(envelopes, last - len(envelopes) + 1):
            if envelope.message is not None and weight + envelope.weight <= MAX_AT_HAND:
                kept.append((id, envelope))
                weight += envelope.weight
        with self._at_hand_lock:
            self._at_hand.extend(kept)
            self._weight += sum(envelope.weight for _, envelope in kept)

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
                "select id, project_id, received_us, gzip, body, counted, crc from entry "
                "where id > ? order by id limit ?",
                [after, limit],
            )
            for id, *row in rows:
                envelope = read_envelope(*row)
                entries.append((id, envelope))
                size -= len(envelope.body)
                if size <= 0:
                    break
            rows.close()
        return entries

    def _read_at_hand(self, after: int, limit: int, size: int) -> list[tuple[int, Envelope]]:
        """Nothing, unless the very next entry is at hand."""
        with self._at_hand_lock:
            while self._at_hand and self._at_hand[0][0] <= after:
                self._weight -= self._at_hand.popleft()[1].weight
            found = list(islice(self._at_hand, limit))
        for place, (id, envelope) in enumerate(found):
            if id != after + 1 + place or size <= 0:
                return found[:place]
            size -= len(envelope.body)
        return found

    def bury(self, id: int, envelope: Envelope, reason: str, counted: int = 0) -> None:
        """Keep an envelope that cannot be stored apart from the others, with the reason.

        `counted`: how many requests of it the ledger counts as dropped.
        """
        with _unavailable("written"):
            self._reader_connection.execute(
                "insert or replace into dead_letter "
                "(id, project_id, received_us, gzip, body, crc, reason, counted) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                [id, *_row(envelope), reason, counted],
            )
            self._buried += len(envelope.body)
            if self._buried > self._max_buried:
                self._bury_less()

    def _bury_less(self) -> None:
        """They are there for somebody to look at: new ones say more than old ones."""
        deleted, self._buried = dead_letters.trim(self._path, self._max_buried)
        dead_letters.tell_trimmed(deleted)

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


def _row(one: Envelope) -> tuple[int, int, bool, bytes, int]:
    """What was damaged stays so, whatever becomes of it."""
    what = one.project_id, one.received_us, one.gzip, one.body
    return *what, DAMAGED if one.damaged else checksum(*what)


@cache
def _insert(rows: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?)"] * rows)
    return f"insert into entry (project_id, received_us, gzip, body, crc) values {values}"  # noqa: S608  # nosec B608
