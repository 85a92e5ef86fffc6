"""How often something happened lately: moving windows, in memory, bounded. `happenings.py` has them
in a database.

Not the library `limits`: its memory storage keeps every key for ever and starts a thread at each
count, and a stranger chooses our keys.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

#: Keys that are remembered at most; the one that was counted longest ago goes first.
MOST_KEYS: Final = 20_000


@dataclass(frozen=True)
class Limit:
    """So often within so many seconds."""

    count: int
    seconds: float


class Recent:
    """Counts by key. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST_KEYS) -> None:
        self.clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def add(self, key: Hashable, limit: Limit) -> None:
        """It happened now. What the limit does not need is forgotten."""
        with self._lock:
            times = self._times.setdefault(key, deque(maxlen=limit.count))
            times.append(self.clock())
            self._times.move_to_end(key)
            if len(self._times) > self._most:
                self._times.popitem(last=False)

    def wait(self, key: Hashable, limit: Limit) -> float:
        """Seconds until it may happen again; 0 when it may now."""
        with self._lock:
            times = self._times.get(key)
            if times is None or len(times) < limit.count:
                return 0.0
            return max(0.0, times[0] + limit.seconds - self.clock())

    def happened(self, key: Hashable, seconds: float) -> bool:
        """Whether it happened within so many seconds."""
        with self._lock:
            times = self._times.get(key)
            return times is not None and self.clock() - times[-1] < seconds

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._times.pop(key, None)
