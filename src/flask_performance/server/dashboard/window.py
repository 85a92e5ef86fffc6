"""Time ranges: their names, the window each means at a moment, and the step a chart draws it in."""

import time
from dataclasses import dataclass, replace
from typing import Final

SECOND_US: Final = 1_000_000
MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

#: What the range switch offers: name in the URL, words, seconds.
RANGES: Final[dict[str, tuple[str, int]]] = {
    "5m": ("5 min", 5 * MINUTE),
    "15m": ("15 min", 15 * MINUTE),
    "1h": ("1 h", HOUR),
    "6h": ("6 h", 6 * HOUR),
    "24h": ("24 h", DAY),
    "7d": ("7 d", 7 * DAY),
    "30d": ("30 d", 30 * DAY),
    "90d": ("90 d", 90 * DAY),
}
DEFAULT_RANGE: Final = "15m"

#: Steps people can read off an axis, in seconds.
STEPS: Final = (
    *(1, 2, 5, 10, 15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY),
)
MOST_STEPS: Final = 150
#: From here on a step is a whole minute at least, which the store has merged already.
MINUTES_FROM: Final = HOUR

#: Requests arrive up to this long after they ended; a younger step is not complete yet.
SETTLED_AFTER_US: Final = 1 * SECOND_US
#: How long they take on average: what has arrived by now is what ended until so long ago.
ARRIVAL_US: Final = SETTLED_AFTER_US // 2
#: A step that is still running shows the rate so far once this much time has passed in it.
READABLE_AFTER_US: Final = 2 * SECOND_US


@dataclass(frozen=True)
class Window:
    """A half-open span of time, in microseconds since the epoch, and the step of its charts."""

    start_us: int
    end_us: int
    step_us: int
    #: Ends at the present, where requests are still arriving.
    live: bool = False

    @property
    def seconds(self) -> float:
        return (self.end_us - self.start_us) / SECOND_US

    @property
    def before(self) -> "Window":
        """The window of the same length that ends where this one starts."""
        return Window(2 * self.start_us - self.end_us, self.start_us, self.step_us)

    @property
    def grid(self) -> "Window":
        """The window of the charts: it starts with a whole step, so that the first is no dip."""
        return replace(self, start_us=self.start_us - self.start_us % self.step_us)

    def seconds_of_step(self, start_us: int) -> float | None:
        """The seconds to divide a step's count by; None while too few have passed for a rate."""
        passed_us = self.end_us - start_us
        if self.live and self.step_us <= READABLE_AFTER_US:  # short: whole and settled, or nothing
            settled = passed_us >= self.step_us + SETTLED_AFTER_US
            return self.step_us / SECOND_US if settled else None
        if passed_us < min(self.step_us, READABLE_AFTER_US):
            return None
        arrived_us = passed_us - (ARRIVAL_US if self.live else 0)
        return min(arrived_us, self.step_us) / SECOND_US


def now_us() -> int:
    """This moment."""
    return time.time_ns() // 1_000


def step_seconds(seconds: float, most: int = MOST_STEPS) -> int:
    """The finest step that draws so many seconds in at most so many steps."""
    least = MINUTE if seconds >= MINUTES_FROM else 1
    fitting = (step for step in STEPS if step >= least and seconds / step <= most)
    return next(fitting, STEPS[-1])


def live_window(name: str, at_us: int) -> Window:
    """The window of a named range that ends at a moment."""
    seconds = RANGES[name][1]
    start_us = at_us - seconds * SECOND_US
    return Window(start_us, at_us, step_seconds(seconds) * SECOND_US, live=True)


def fixed_window(start_us: int, end_us: int) -> Window:
    """The window between two instants."""
    return Window(start_us, end_us, step_seconds((end_us - start_us) / SECOND_US) * SECOND_US)
