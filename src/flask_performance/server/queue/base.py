"""The seam of the queue: what the collector acknowledges goes in here first, durably.

Two homes are planned: `journal` (embedded) and `celery` (RabbitMQ or Redis).
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

import msgspec


class Envelope(msgspec.Struct, frozen=True):
    """What a client posted, as it was: enough to save it later without asking anybody."""

    project_id: int
    received_us: int
    gzip: bool
    body: bytes
    #: So many requests of it the ledger counts as dropped: it comes back from the dead letters.
    counted: int = 0
    #: What the body said, for who reads it soon, so that it is decoded once; it is not durable.
    message: object = None
    #: What the message takes in memory, roughly (bytes of JSON).
    weight: int = 0
    #: It is not what was put: the home's memory of it is spoilt.
    damaged: bool = False


class QueueFullError(Exception):
    """The queue holds as much as it may; the client should come again later."""


class QueueUnavailableError(Exception):
    """The queue could not make the envelope durable (a full disk, a broker that is away)."""


#: Told of an envelope that it is durable (None), or why not: then nothing of it was kept.
Kept = Callable[[QueueUnavailableError | None], None]


class Queue(ABC):
    """Takes envelopes, and says when one survives `kill -9`, not before."""

    @abstractmethod
    def put_soon(self, envelope: Envelope, kept: Kept) -> None:
        """Call it on an event loop; `kept` is called there later, unless this raises.

        Raises QueueFullError or QueueUnavailableError; then nothing was kept.
        """

    async def put(self, envelope: Envelope) -> None:
        """Returns when the envelope is durable. Raises as `put_soon`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def kept(error: QueueUnavailableError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        self.put_soon(envelope, kept)
        await future

    @abstractmethod
    def close(self) -> None:
        """Finish what was accepted, then stop."""
