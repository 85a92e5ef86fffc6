"""The demo's visitors: `python -m flask_performance.server.demo.traffic http://127.0.0.1:PORT`.

Visits begin at random (a Poisson process) around a wave, which is a day squeezed into ten minutes,
with a rush now and then. A fixed crew of threads serves them; when all are busy a visit is left
out, so that a shop that hangs is never met with more and more threads.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from math import sin, tau
from queue import Empty, Full, Queue
from typing import Final
from urllib.parse import urlsplit

from .chance import happens, poisson_gap
from .visits import Visitor, any_visit

#: Visits a second in the middle of the wave; about 2.6 requests each.
VISITS_PER_SECOND: Final = 17.0
WAVE_SECONDS: Final = 600.0
WAVE_HEIGHT: Final = 0.4
RUSH_EVERY_SECONDS: Final = 75.0
RUSH_SECONDS: Final = 4.0
RUSH_FACTOR: Final = 3.0
CREW: Final = 16
FAREWELL_SECONDS: Final = 1.5

Visit = Callable[[Visitor], None]


def rate(seconds: float) -> float:
    """Visits a second at this time since the epoch. Never 0, at most 72."""
    wave = 1 + WAVE_HEIGHT * sin(tau * seconds / WAVE_SECONDS)
    rush = RUSH_FACTOR if seconds % RUSH_EVERY_SECONDS < RUSH_SECONDS else 1.0
    return VISITS_PER_SECOND * wave * rush


class Crowd:
    """The crew of threads and the visits that wait for one of them."""

    def __init__(self, host: str, port: int) -> None:
        self.waiting: Queue[Visit | None] = Queue(CREW)
        self.ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._serve, args=(Visitor(host, port),), daemon=True)
            for _ in range(CREW)
        ]

    def run(self) -> None:
        """Until `end`."""
        for thread in self._threads:
            thread.start()
        while not self.ended.wait(poisson_gap(rate(time.time()))):
            with suppress(Full):
                self.waiting.put_nowait(any_visit())
        self._close()

    def end(self) -> None:
        self.ended.set()

    def _close(self) -> None:
        """Who has not come in goes home; who is in the shop has a moment to finish."""
        with suppress(Empty):
            while True:
                self.waiting.get_nowait()
        for _ in self._threads:
            self.waiting.put(None)
        deadline = time.monotonic() + FAREWELL_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self, visitor: Visitor) -> None:
        while (visit := self.waiting.get()) is not None:
            visit(visitor)
            if happens(0.3):
                visitor.leave()
                visitor.cookie = ""


def main() -> None:
    shop = urlsplit(sys.argv[1])
    crowd = Crowd(shop.hostname or "127.0.0.1", shop.port or 80)
    signal.signal(signal.SIGTERM, lambda *_: crowd.end())
    signal.signal(signal.SIGINT, lambda *_: crowd.end())
    crowd.run()


if __name__ == "__main__":
    main()
