"""Where finished requests wait for the sender. Nothing here blocks or takes a lock.

A record is a plain tuple of texts and numbers: that is what the interpreter makes fastest. It has
few members, for memory that was not touched lately is what costs a request most.
"""

from collections import deque
from collections.abc import Callable
from itertools import count, repeat, starmap
from typing import Any, Final

#: What few requests have.
Rare = tuple[
    str | None,  # Content-Length of the request
    str | None,  # X-Request-Start, or X-Queue-Start
    str | None,  # traceparent
    int,  # outcome
    int | None,  # cpu_ns
    str | None,  # exception
    str | None,  # consumer
    int | None,  # when the first byte was there, ns
]
#: One finished request. Times in ns are readings of perf_counter.
Record = tuple[
    int,  # begin_ns
    int,  # end_ns
    str | int | None,  # status: the line, or the number
    Any,  # the werkzeug Rule that matched, or None; it is the app's, which keeps it anyway
    int | None,  # bytes of the body that were handed to the server
    str,  # method
    str,  # SCRIPT_NAME and PATH_INFO
    Rare | None,
]

#: The most records that wait in the raw form (some 250 bytes each) whatever METRIC_BUFFER says: the
#: sender takes them out every METRIC_INTERVAL, and two seconds of a busy process fit.
MOST_RAW: Final = 10_000


class Buffer:
    """Finished requests, oldest first. Any thread may offer, one thread takes.

    To offer is to `append` while the queue is shorter than `limit`, else to `refuse`, and to call
    `wake` then if `idle`; the recorder has these few lines in its own.
    """

    __slots__ = (
        "_read",
        "_refused",
        "append",
        "cpu_left",
        "curious",
        "idle",
        "limit",
        "queue",
        "raised",
        "wake",
    )

    def __init__(self, limit: int, cpu_left: int, wake: Callable[[], None]) -> None:
        self.queue: deque[Record] = deque()
        self.append = self.queue.append
        self.limit = min(limit, MOST_RAW)
        #: The taker sleeps: whoever offers next calls `wake`. The taker sets it before it looks at
        #: the queue for the last time, so no record is ever left behind unseen.
        self.idle = True
        self.wake = wake
        #: The next request is asked for more than usual, as far as `cpu_left` goes or a hook wants.
        self.curious = True
        #: Of how many further requests the CPU time is to be measured; the taker fills it up.
        self.cpu_left = cpu_left
        #: The app has raised before: look for exceptions from now on.
        self.raised = False
        self._refused = count()
        self._read = 0

    def __len__(self) -> int:
        return len(self.queue)

    def refuse(self) -> None:
        """Count a record for which there is no room."""
        next(self._refused)

    def take(self, most: int) -> list[Record]:
        """Up to `most` records, oldest first."""
        return list(starmap(self.queue.popleft, repeat((), min(most, len(self.queue)))))

    def clear(self) -> None:
        """Forget what waits, in the child of a fork."""
        self.queue.clear()
        self.idle = True

    def refused(self) -> int:
        """How many records found no room, ever. Exact without a lock: `next` is one step of the
        interpreter, and our own readings are subtracted again."""
        value = next(self._refused) - self._read
        self._read += 1
        return value
