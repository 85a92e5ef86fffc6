"""What a worker does with a message of the broker: its envelopes into the store, each exactly once.

A message comes again when a worker died or lost its connection, perhaps while another one still
has it. So, in this order: nobody else has the message meanwhile (`Claims.alone`); its batches are
claimed, durably; its blocks are stored under ids that are made from the message's. Whatever was
done of it before, by whomever, the store recognises by these ids, and batches of other messages by
their claims.
"""

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from msgspec.structs import replace

from ..counts import Ingested
from ..payload import Batch, PayloadError, decode, unpack
from ..queue.base import Envelope
from ..store.base import EventStore, StoreUnavailableError
from ..store.block import Block
from .pipeline import Exists, Refused, block_of, refused_block

log = logging.getLogger(__name__)

#: Older batches may have been claimed so long ago that only the store knows them (microseconds).
OLD_US: Final = 24 * 3600 * 1_000_000
#: A store that takes nothing is asked again after: from, up to (seconds) …
RETRY: Final = (0.1, 2.0)
#: … and for so long in all; then the broker has the message again.
PATIENCE: Final = 30.0

#: A part of a message ends here. Never changed: the ids of blocks follow from it, and a message
#: that was half stored before an update is recognised by them.
PART_REQUESTS: Final = 100_000
#: Parts are cut by this module, not by the pipeline.
NO_LIMIT: Final = 2**62

Key = tuple[int, str, int]
Entries = list[tuple[int, Envelope]]


class Claims(Protocol):
    """As `accounts.claims`."""

    def claim(self, message: str, batches: Collection[Key]) -> tuple[set[Key], bool]: ...

    def spoil(self, message: str) -> None: ...

    def alone(self, message: str) -> AbstractContextManager[None]: ...


#: Buries the envelope at a place of a message: reason, and how many requests count as dropped.
Bury = Callable[[str, int, Envelope, str, int], None]


class MessageIngest:
    """Stores messages. One at a time; others work in other processes.

    Raises StoreUnavailableError, and whatever the accounts' database raises: then the message is
    the broker's again.
    """

    def __init__(
        self,
        store: EventStore,
        claims: Claims,
        bury: Bury,
        exists: Exists,
        away: tuple[type[Exception], ...],
    ) -> None:
        """`away`: what all but the store raise while their database does not answer."""
        self._away: tuple[type[Exception], ...] = (StoreUnavailableError, *away)
        self._store = store
        self._claims = claims
        self._bury = bury
        self._exists = exists
        self.counts = Ingested()

    def store(self, message: str, envelopes: Sequence[Envelope]) -> None:
        """All of a message. It may be acknowledged when this returns."""
        for part, entries in enumerate(_parts(list(map(_decoded, envelopes)))):
            self._store_part(_derived(message, part) if part else message, entries)
        self.counts.batches += len(envelopes)
        self.counts.lag_seconds.note(max(0.0, time.time() - envelopes[0].received_us / 1e6))

    def _store_part(self, message: str, entries: Entries) -> None:
        """A part is as a message of its own."""
        batches = {key: old for _, envelope in entries for key, old in _batch(envelope)}
        with self._claims.alone(message):
            others, spoilt = self._claims.claim(message, batches)
            known = _Known(self._store, message, self._claims, batches, others)
            if spoilt or not self._store_together(message, entries, known):
                self._store_apart(message, entries, known)

    def _store_together(self, message: str, entries: Entries, known: "_Known") -> bool:
        """False: it cannot be stored so, and it is on record that nobody tries again."""
        try:
            taken = block_of(entries, known.has, self._exists, most=NO_LIMIT)
            self._append(taken.block, message)
        except self._away:
            raise
        except Exception:
            log.exception("A message could not be stored; trying its envelopes one by one")
            self._claims.spoil(message)
            return False
        for one in taken.refused:
            self._set_aside(message, one)
        return True

    def _store_apart(self, message: str, entries: Entries, known: "_Known") -> None:
        for place, envelope in entries:
            try:
                taken = block_of([(place, envelope)], known.has, self._exists)
                self._append(taken.block, _derived(message, "envelope", place))
            except self._away:
                raise
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                block, counted = refused_block(envelope, known.has)
                self._set_aside(message, Refused(place, envelope, reason, counted))
                self._append(block, _derived(message, "refused", place))
            else:
                for one in taken.refused:
                    self._set_aside(message, one)

    def _set_aside(self, message: str, one: Refused) -> None:
        log.error(
            "Envelope %(place)d of message %(id)s goes to the dead letters: %(reason)s",
            {"place": one.position, "id": message, "reason": one.reason},
        )
        self._bury(message, one.position, one.envelope, one.reason, one.counted)

    def _append(self, block: Block, id: str) -> None:
        """Waits a little for a store that is away. Raises StoreUnavailableError."""
        if not block.receipts:
            return  # repeats, and nothing else
        named = dataclasses.replace(block, id=id)
        pause, deadline = RETRY[0], time.monotonic() + PATIENCE
        while True:
            began = time.perf_counter()
            try:
                self._store.append(named, None)
            except StoreUnavailableError as error:
                if time.monotonic() + pause > deadline:
                    raise
                if pause == RETRY[0]:
                    log.warning("The event store takes nothing: %(error)s", {"error": error})
                time.sleep(pause)
                pause = min(pause * 2, RETRY[1])
            else:
                self._count(block, time.perf_counter() - began)
                break
        # Who deletes a project does so in the accounts first, then in the store.
        for project_id in block.project_ids:
            if not self._exists(project_id):
                self._store.delete_project(project_id)

    def _count(self, block: Block, seconds: float) -> None:
        self.counts.blocks += 1
        self.counts.requests += block.requests
        self.counts.last = time.time()
        self.counts.block_requests.note(block.requests)
        self.counts.block_seconds.note(seconds)


class _Known:
    """Whether a batch is stored with another message."""

    def __init__(
        self,
        store: EventStore,
        message: str,
        claims: Claims,
        claimed: dict[Key, bool],
        others: set[Key],
    ) -> None:
        self._store = store
        self._message = message
        self._claims = claims
        self._claimed = claimed
        self._others = others

    def has(self, project_id: int, instance: str, number: int) -> bool:
        key = (project_id, instance, number)
        if key not in self._claimed:  # of a body that cannot be decoded, and still says whose it is
            self._claimed[key] = True
            self._others |= self._claims.claim(self._message, [key])[0]
        if key in self._others:
            return True
        return self._claimed[key] and self._store.has_batch(*key)


def _derived(message: str, *parts: object) -> str:
    """An id for a part of a message: the same whenever it comes."""
    return hashlib.blake2b(repr((message, *parts)).encode(), digest_size=16).hexdigest()


def _parts(envelopes: list[Envelope]) -> Iterator[Entries]:
    """Envelopes with their places, in parts that make a block each: a small body may hold a great
    many requests. Where a part ends depends on nothing but the envelopes."""
    part: Entries = []
    requests = 0
    for place, envelope in enumerate(envelopes):
        part.append((place, envelope))
        requests += len(envelope.message.requests) if isinstance(envelope.message, Batch) else 1
        if requests >= PART_REQUESTS:
            yield part
            part, requests = [], 0
    if part:
        yield part


def _decoded(envelope: Envelope) -> Envelope:
    """With its message at hand, for all that follows; as it is where it cannot be decoded."""
    try:
        text = unpack(envelope.body) if envelope.gzip else envelope.body
        return replace(envelope, message=decode(text))
    except PayloadError:
        return envelope


def _batch(envelope: Envelope) -> list[tuple[Key, bool]]:
    """The batch that an envelope is, if it is one that is counted once, and whether it is old."""
    batch = envelope.message
    if not isinstance(batch, Batch) or envelope.counted:
        return []
    old = batch.sent_us < envelope.received_us - OLD_US
    return [((envelope.project_id, batch.instance.id, batch.batch), old)]
