"""The demo's one source of chance: how long things take and what visitors do."""

import random
import time
from math import exp, log
from typing import Final

dice: Final = random.Random()  # noqa: S311 - shapes a demo, guards nothing


def pause(median_ms: float, spread: float = 0.35) -> None:
    """Wait as a database makes an app wait: log-normally, a long tail included."""
    time.sleep(dice.lognormvariate(log(median_ms), spread) / 1000)


def happens(probability: float) -> bool:
    return dice.random() < probability


def poisson_gap(rate: float) -> float:
    """Seconds until the next of independent events of which `rate` happen a second."""
    return dice.expovariate(rate)


def skewed(size: int) -> int:
    """A place in a list of `size` where the first places are drawn far more often than the last."""
    return min(size - 1, int(size * (exp(4 * dice.random()) - 1) / (exp(4) - 1)))
