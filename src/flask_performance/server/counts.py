"""What the parts of the platform count of themselves: plain numbers, read by `vitals` alone.

A number is written by one thread, and a reader may see it a moment late. So the hot path pays an
addition and no lock; only a histogram that several threads write has one.
"""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

#: Bounds in seconds: a question to the store, a block, a commit …
SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: … and from 202 to queryable, which may be long when a server comes back.
LONG: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
#: Requests in a block.
SIZES: Final = (1, 10, 100, 1_000, 10_000, 100_000)


class Histogram:
    """How often a value was up to each bound. Any thread may add to it."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._lock = threading.Lock()
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def note(self, value: float) -> None:
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def read(self) -> tuple[list[tuple[float, int]], float]:
        """Bounds with how many values were up to each (the last one is infinite), and their sum."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        found, so_far = [], 0
        for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
            so_far += count
            found.append((bound, so_far))
        return found, total


class Failing(NamedTuple):
    """What a part does not do, in words that a stranger may read, and since when (epoch)."""

    what: str
    since: float


class Trouble:
    """Whether a part fails just now."""

    def __init__(self) -> None:
        self.now: Failing | None = None

    def begins(self, what: str) -> None:
        """Or goes on: then it stays as old as it is."""
        if self.now is None or self.now.what != what:
            self.now = Failing(what, time.time())

    def ends(self) -> None:
        self.now = None


@dataclass
class Collected:
    """Of the collector."""

    batches: int = 0
    requests: int = 0
    #: Batches by reason.
    refused: Counter[str] = field(default_factory=Counter)


class Depth(NamedTuple):
    """What waits in the queue."""

    batches: int
    bytes: int
    #: What it may hold.
    limit: int
    #: When the oldest one came; None: nothing waits.
    oldest_us: int | None


@dataclass
class Ingested:
    """Of ingest."""

    blocks: int = 0
    batches: int = 0
    requests: int = 0
    #: When a block was stored last (seconds since the epoch); None: none was.
    last: float | None = None
    block_requests: Histogram = field(default_factory=lambda: Histogram(SIZES))
    block_seconds: Histogram = field(default_factory=lambda: Histogram(SHORT))
    #: From receiving to queryable, of the oldest batch of each block.
    lag_seconds: Histogram = field(default_factory=lambda: Histogram(LONG))


@dataclass
class JobState:
    """How one job of timed work is doing; times in seconds since the epoch."""

    runs: int = 0
    failures: int = 0
    last_run: float | None = None
    last_success: float | None = None
    seconds: float = 0.0  # the last run took
    failing_since: float | None = None
