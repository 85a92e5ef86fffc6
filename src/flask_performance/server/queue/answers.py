"""Telling those who wait for an envelope to be durable, from the thread that made it so."""

import asyncio
import contextlib
import logging

from .base import Kept, QueueUnavailableError

log = logging.getLogger(__name__)

Waiter = tuple[asyncio.AbstractEventLoop, Kept]


def answer(waiters: list[Waiter], error: QueueUnavailableError | None) -> None:
    """Tell each waiting `put` on its own event loop, one call a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Kept]] = {}
    for loop, kept in waiters:
        by_loop.setdefault(loop, []).append(kept)
    for loop, told in by_loop.items():
        # A loop that was closed meanwhile has nobody left who waits for the answer.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, told, error)


def _tell(told: list[Kept], error: QueueUnavailableError | None) -> None:
    for kept in told:
        try:
            kept(error)
        except Exception:
            log.exception("An answer could not be given")
