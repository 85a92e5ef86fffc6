"""The thread that moves envelopes from the journal into the store, in order, each exactly once.

A block and the journal position behind it are stored in one transaction, so a crash at any instant
neither loses nor repeats: what the journal has beyond the stored position is simply read again.
"""

import logging
import threading
import time
from typing import Final

from ..counts import Ingested, Trouble
from ..queue.base import Envelope, QueueUnavailableError
from ..queue.journal import Journal
from ..store.base import EventStore, StoreUnavailableError
from ..store.block import Block
from .builder import BlockBuilder
from .pipeline import BLOCK_REQUESTS, Exists, Refused, block_of, refused_block

log = logging.getLogger(__name__)

#: At most this many envelopes, or about so many bytes, become one block.
BLOCK_ENVELOPES: Final = 10_000
BLOCK_BYTES: Final = 8 * 1024**2
#: So many new requests are added to the rollups at once, and not only when timed work comes to it:
#: until then every question reads them one by one, and under load that was most of all work.
ROLL_FROM: Final = 2 * BLOCK_REQUESTS
#: Blocks follow each other no faster, so that small ones share a commit (seconds).
PACE: Final = 0.05
#: A block that has room left is followed by a rest of so many times what it took, at most this:
#: single requests come cheaper in large blocks, and the collector has the disk and the interpreter
#: meanwhile (seconds).
RESTS: Final = 5
REST: Final = 0.25
#: How long to wait for a store that cannot take anything: from, up to (seconds).
RETRY: Final = (0.1, 5.0)

#: Faults of the disk, not of what is to be stored: it waits.
AWAY: Final = (StoreUnavailableError, QueueUnavailableError)
EMPTY: Final = BlockBuilder().build()

#: More than one block takes (seconds).
BLOCK_TIME: Final = 1.5

Entries = list[tuple[int, Envelope]]


class IngestWorker:
    """Runs from `start` to `stop`; `stop` first empties the journal, within its time.

    What waits for a project that does not exist (any more) is thrown away.
    """

    def __init__(self, journal: Journal, store: EventStore, exists: Exists) -> None:
        self._journal = journal
        self._store = store
        self._exists = exists
        self._position = store.position()
        self._stopping = threading.Event()
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self.counts = Ingested()
        #: Of the requests that it counts, so many may be in the rollups.
        self._rolled = 0
        self.trouble = Trouble()
        journal.start_after(self._position)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """What is not stored by then stays in the journal for the next start."""
        self._deadline = time.monotonic() + seconds
        self._stopping.set()
        self._journal.wake()
        self._thread.join(seconds + BLOCK_TIME)

    def _run(self) -> None:
        while time.monotonic() < self._deadline:
            began = time.monotonic()
            try:
                entries = self._journal.read(self._position, BLOCK_ENVELOPES, BLOCK_BYTES)
                all_of_them = self._store_entries(entries)
                self._roll_many()
                self.trouble.ends()
            except Exception as error:
                self.trouble.begins("ingest fails")
                self._explain(error)
                if self._stopping.wait(RETRY[1]):
                    return
                continue
            if not entries:
                if self._stopping.is_set():
                    return
                self._journal.wait(1.0)
            elif all_of_them and not _is_full(entries):
                took = time.monotonic() - began
                self._stopping.wait(max(PACE - took, min(RESTS * took, REST)))

    def _roll_many(self) -> None:
        if self.counts.requests - self._rolled >= ROLL_FROM:
            self._rolled = self.counts.requests
            self._store.roll()

    def _explain(self, error: Exception) -> None:
        if self._stopping.is_set() and isinstance(error, AWAY):
            log.warning(
                "Stopping with requests that wait on disk for the next start: %(reason)s",
                {"reason": error},
            )
        else:
            log.error("Ingest failed and tries again; what it has waits on disk", exc_info=error)

    def _store_entries(self, entries: Entries) -> bool:
        """Store a block of the first entries; whether it took all: the others are read again, with
        those behind them, for a small block costs more a request."""
        if not entries:
            return True
        try:
            return self._append(entries) == len(entries)
        except AWAY:
            raise
        except Exception:
            log.exception("A block could not be stored; trying its envelopes one by one")
            for entry in entries:
                self._store_alone(entry)
            return True

    def _store_alone(self, entry: tuple[int, Envelope]) -> None:
        """Store one envelope, or bury it: it must not block those behind it."""
        try:
            self._append([entry])
        except AWAY:
            raise
        except Exception as error:
            self._set_aside(*entry, f"{type(error).__name__}: {error}")
            self._advance([entry])

    def _set_aside(self, position: int, envelope: Envelope, reason: str) -> None:
        """Bury an envelope and tell the ledger, unless its very numbers are the trouble."""
        block, counted = refused_block(envelope, self._store.has_batch)
        self._bury(Refused(position, envelope, reason, counted))
        try:
            self._append_patiently(block, position)
        except AWAY:
            raise
        except Exception:
            log.exception(
                "Envelope %(position)d cannot even be counted in the ledger", {"position": position}
            )
            self._bury(Refused(position, envelope, reason, envelope.counted))
            self._append_patiently(EMPTY, position)

    def _append(self, entries: Entries) -> int:
        """Append a block of the first entries, and say of how many.

        Waits for a store that is away. Raises AWAY only at the end; anything else is the block's.
        """
        taken = block_of(entries, self._store.has_batch, self._exists)
        for one in taken.refused:
            self._bury(one)
        done = entries[: taken.entries]
        self._append_patiently(taken.block, done[-1][0])
        self._delete_again(taken.block)
        self._advance(done)
        return taken.entries

    def _delete_again(self, block: Block) -> None:
        """A project may have been deleted while its block was under way: after it was asked for,
        before it was stored. Who deletes does so in the accounts first, then in the store."""
        for project_id in block.project_ids:
            if not self._exists(project_id):
                self._store.delete_project(project_id)

    def _advance(self, entries: Entries) -> None:
        self._position, oldest = entries[-1][0], entries[0][1]
        self.counts.batches += len(entries)
        self.counts.lag_seconds.note(max(0.0, time.time() - oldest.received_us / 1_000_000))
        self._journal.forget(self._position, sum(len(envelope.body) for _, envelope in entries))

    def _append_patiently(self, block: Block, position: int) -> None:
        pause = RETRY[0]
        while True:
            began = time.perf_counter()
            try:
                self._store.append(block, position)
            except StoreUnavailableError as error:
                self.trouble.begins("the event store takes nothing")
                if self._stopping.is_set():
                    raise
                if pause == RETRY[0]:
                    log.error(  # noqa: TRY400
                        "The event store takes nothing (%(reason)s); requests wait on disk",
                        {"reason": error},
                    )
                self._stopping.wait(pause)
                pause = min(pause * 2, RETRY[1])
            else:
                self._count(block, time.perf_counter() - began)
                if pause != RETRY[0]:
                    log.info("The event store takes requests again")
                return

    def _count(self, block: Block, seconds: float) -> None:
        self.trouble.ends()
        if block.requests:
            self.counts.blocks += 1
            self.counts.requests += block.requests
            self.counts.last = time.time()
            self.counts.block_requests.note(block.requests)
            self.counts.block_seconds.note(seconds)

    def _bury(self, refused: Refused) -> None:
        log.error(
            "Envelope %(position)d goes to the dead letters: %(reason)s",
            {"position": refused.position, "reason": refused.reason},
        )
        self._journal.bury(refused.position, refused.envelope, refused.reason, refused.counted)


def _is_full(entries: Entries) -> bool:
    """Whether more may wait than these."""
    size = sum(len(envelope.body) for _, envelope in entries)
    return len(entries) >= BLOCK_ENVELOPES or size >= BLOCK_BYTES
