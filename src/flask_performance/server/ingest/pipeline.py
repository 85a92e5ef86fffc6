"""The path of an envelope: unpack, decode, recognise repeats, turn into columns.

Each step is one line of `block_of`; what cannot take the path is set aside with its reason, and the
ledger learns how many requests that were, where the body still tells.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import msgspec

from ..payload import Batch, Outline, PayloadError, Single, decode, outline, unpack
from ..queue.base import Envelope
from ..store.block import Block
from .builder import BlockBuilder

#: A block ends here: two of DuckDB's row groups, less than a batch. From one row group on it writes
#: them to the file as they are to stay, and not to its log first.
BLOCK_REQUESTS: Final = 245_000
DAMAGED: Final = "It was damaged while it waited: its checksum in the journal does not match."
#: Answers whether a batch of (project id, instance's wire id, number) is stored already.
HasBatch = Callable[[int, str, int], bool]


#: Answers whether a project (by its id) is there; it may have been deleted since the envelope came.
Exists = Callable[[int], bool]


class Refused(msgspec.Struct, frozen=True):
    """An envelope that can never be stored, and why."""

    position: int
    envelope: Envelope
    reason: str
    #: How many requests of it the ledger counts as dropped.
    counted: int = 0


class Taken(msgspec.Struct, frozen=True):
    """What became of the first entries of a list."""

    block: Block
    refused: list[Refused]
    entries: int


def block_of(
    entries: Sequence[tuple[int, Envelope]],
    has_batch: HasBatch,
    exists: Exists,
    most: int = BLOCK_REQUESTS,
) -> Taken:
    """One block of the entries, in order, until it has `most` requests; at least of one entry."""
    exists = cache(exists)
    builder = BlockBuilder()
    new = _Repeats(has_batch)
    refused = []
    taken = 0
    for position, envelope in entries:
        taken += 1
        if envelope.damaged:
            refused.append(Refused(position, envelope, DAMAGED, envelope.counted))
            continue
        if not exists(envelope.project_id):
            continue
        try:
            message = _read(envelope)
        except PayloadError as error:
            counted = _account(builder, new, envelope, _outline(envelope))
            refused.append(Refused(position, envelope, str(error), counted))
            continue
        if envelope.counted:
            builder.add_replayed(envelope, message)
        elif isinstance(message, Single):
            builder.add_single(envelope.project_id, envelope.received_us, message)
        elif not new.is_repeat(envelope.project_id, message):
            builder.add_batch(envelope.project_id, envelope.received_us, message)
        if builder.requests >= most:
            break
    return Taken(builder.build(), refused, taken)


def refused_block(envelope: Envelope, has_batch: HasBatch) -> tuple[Block, int]:
    """A block that accounts for an envelope which cannot be stored, and holds nothing of it.

    And how many of its requests the ledger counts as dropped with it.
    """
    builder = BlockBuilder()
    try:
        message: Batch | Outline | Single | None = _read(envelope)
    except PayloadError:
        message = _outline(envelope)
    counted = _account(builder, _Repeats(has_batch), envelope, message)
    return builder.build(), counted


def _account(
    builder: BlockBuilder,
    new: "_Repeats",
    envelope: Envelope,
    message: Batch | Outline | Single | None,
) -> int:
    """How many of its requests the ledger counts as dropped, now or since it was first buried."""
    if envelope.counted or message is None:
        return envelope.counted
    if isinstance(message, Single) or not new.is_repeat(envelope.project_id, message):
        return builder.add_refused(
            envelope.project_id, envelope.received_us, message, "dead_letter"
        )
    return 0


def _outline(envelope: Envelope) -> Outline | None:
    try:
        return outline(unpack(envelope.body) if envelope.gzip else envelope.body)
    except PayloadError:
        return None


def _read(envelope: Envelope) -> Batch | Single:
    """The collector's own reading where it is still at hand: decoding twice is half of all work."""
    if isinstance(envelope.message, Batch | Single):
        return envelope.message
    return decode(unpack(envelope.body) if envelope.gzip else envelope.body)


class _Repeats:
    """Recognises batches that the store has, or that came earlier in the same block."""

    def __init__(self, has_batch: HasBatch) -> None:
        self._has_batch = has_batch
        self._here: set[tuple[int, str, int]] = set()

    def is_repeat(self, project_id: int, batch: Batch | Outline) -> bool:
        key = (project_id, batch.instance.id, batch.batch)
        if key in self._here or self._has_batch(*key):
            return True
        self._here.add(key)
        return False
