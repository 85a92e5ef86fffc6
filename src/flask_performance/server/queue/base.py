"""The seam of the queue: what the collector acknowledges goes in here first, durably.

Two homes are planned: `journal` (embedded) and `celery` (RabbitMQ or Redis).
"""

from abc import ABC, abstractmethod

import msgspec


class Envelope(msgspec.Struct, frozen=True):
    """What a client posted, as it was: enough to save it later without asking anybody."""

    project_id: int
    received_us: int
    gzip: bool
    body: bytes
    #: So many requests of it the ledger counts as dropped: it comes back from the dead letters.
    counted: int = 0


class QueueFullError(Exception):
    """The queue holds as much as it may; the client should come again later."""


class QueueUnavailableError(Exception):
    """The queue could not make the envelope durable (a full disk, a broker that is away)."""


class Queue(ABC):
    """Takes envelopes. `put` returns when the envelope survives `kill -9`, not before."""

    @abstractmethod
    async def put(self, envelope: Envelope) -> None:
        """Raises QueueFullError or QueueUnavailableError; then nothing was kept."""

    @abstractmethod
    def close(self) -> None:
        """Finish what was accepted, then stop."""
