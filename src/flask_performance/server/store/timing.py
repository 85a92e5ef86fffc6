"""How long the store's questions take, by question: measured at the seam, for every home alike."""

import functools
import time
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from flask_performance.server.counts import SHORT, Histogram

from .base import EventStore

P = ParamSpec("P")
T = TypeVar("T")

#: What writes, what timed work does, and what is answered from memory.
NO_QUESTIONS: Final = frozenset(
    {
        "append", "close", "delete_project", "export", "forget", "has_batch", "maintain",
        "position", "revision", "roll", "rows",
    }
)  # fmt: skip


def time_questions(store: EventStore) -> dict[str, Histogram]:
    """From now on each question of this store is timed; the histogram of each."""
    seconds = {}
    for name in sorted(EventStore.__abstractmethods__ - NO_QUESTIONS):
        seconds[name] = Histogram(SHORT)
        setattr(store, name, _timed(getattr(store, name), seconds[name]))
    return seconds


def _timed(ask: Callable[P, T], seconds: Histogram) -> Callable[P, T]:
    @functools.wraps(ask)
    def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        began = time.perf_counter()
        try:
            return ask(*args, **kwargs)
        finally:
            seconds.note(time.perf_counter() - began)

    return timed
