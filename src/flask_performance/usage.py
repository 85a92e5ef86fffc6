"""What the process uses and how busy it is: read when a batch is cut, on the sender's thread.

Nothing of it is measured on a request's thread. How busy the process is comes out of the records:
their durations add up, and where they overlap, several requests were under way at once.
"""

import os
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import count, repeat
from operator import itemgetter, sub
from pathlib import Path
from typing import Final

from .buffer import Record
from .wire import Process

if sys.platform != "win32":
    import resource

_BEGIN: Final = itemgetter(0)
_END: Final = itemgetter(1)
#: Linux's own account of this process's memory, in pages: all of it, resident, shared, …
_STATM: Final = Path("/proc/self/statm")


class Usage:
    """Counts on from the first record of an instance."""

    def __init__(self, beat: float) -> None:
        self._beat_us = int(beat * 1_000_000)
        self._busy_ns = 0
        self._concurrent = 0

    def take(self, records: Sequence[Record]) -> None:
        """Count what these requests kept the process busy with."""
        self._busy_ns += sum(map(_END, records)) - sum(map(_BEGIN, records))
        if not self._concurrent:  # the first ones of a batch stand for all: a look costs us time
            self._concurrent = most_at_once(records)

    def member(self) -> Process:
        """For the batch that is being cut."""
        process: Process = {
            "cpu_us": time.process_time_ns() // 1000,
            "busy_us": self._busy_ns // 1000,
            "threads": threading.active_count(),
            "beat_us": self._beat_us,
        }
        if self._concurrent:
            process["concurrent"] = self._concurrent
            self._concurrent = 0
        memory = resident_bytes()
        if memory is not None:
            process["memory_bytes"] = memory
        return process


def most_at_once(records: Sequence[Record]) -> int:
    """How many of these requests were under way at once, at most.

    When the n-th of them began, those that had ended before were not under way any more.
    """
    ended = map(bisect_right, repeat(sorted(map(_END, records))), sorted(map(_BEGIN, records)))
    return max(map(sub, count(1), ended), default=0)


def resident_bytes(statm: Path = _STATM) -> int | None:
    """The memory of this process that lies in the machine's. Where only the most that it ever was
    is known (macOS), that; None where nobody says."""
    try:
        return int(statm.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return _most_resident_bytes()


def _most_resident_bytes() -> int | None:
    if sys.platform == "win32":  # pragma: no cover
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
