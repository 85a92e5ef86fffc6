"""Bodies that nobody meant: refused with a sentence, or stored to the last request."""

import gzip
import json
import time
from pathlib import Path
from typing import Any, Final

from flask_performance.server.ingest.pipeline import block_of
from flask_performance.server.payload import Batch, PayloadError, decode, unpack
from flask_performance.server.queue.base import Envelope
from flask_performance.server.store.base import EventStore

WIRE: Final = Path(__file__).parents[1] / "wire"
#: What clients of every age sent.
RECORDED: Final[list[bytes]] = [file.read_bytes() for file in sorted(WIRE.glob("*.json"))]


def take(store: EventStore, body: bytes, *, zipped: bool = False) -> int | None:
    """Take a body the way ingest does: how many requests it held, or None where it was refused.

    Raises whatever should not: anything but PayloadError, and what decodes and cannot be stored.
    """
    expected = _requests(body, zipped)
    if expected is not None and _is_repeat(store, body, zipped):
        expected = 0
    position = store.position() + 1
    envelope = Envelope(1, time.time_ns() // 1000, zipped, body)
    taken = block_of([(position, envelope)], store.has_batch, lambda _: True)
    assert bool(taken.refused) == (expected is None), taken.refused
    assert taken.block.requests == (expected or 0)
    store.append(taken.block, position)
    assert store.position() == position
    return expected


def _read(body: bytes, zipped: bool) -> Any:
    return decode(unpack(body) if zipped else body)


def _requests(body: bytes, zipped: bool) -> int | None:
    try:
        message = _read(body, zipped)
    except PayloadError as error:
        sentence = str(error)
        assert sentence.endswith(".")
        assert len(sentence) < 400
        json.dumps({"error": sentence}).encode()
        return None
    return len(message.requests) if isinstance(message, Batch) else 1


def _is_repeat(store: EventStore, body: bytes, zipped: bool) -> bool:
    message = _read(body, zipped)
    return isinstance(message, Batch) and store.has_batch(1, message.instance.id, message.batch)


def packed(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)
