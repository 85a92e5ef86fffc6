"""Whether two sets of requests really differ: tests on their latency histograms and their errors.

- Response times as a whole: the Mann-Whitney U test with the normal approximation, corrected for
  ties and continuity (Mann, Whitney: "On a test of whether one of two random variables is
  stochastically larger than the other", 1947; ties: Lehmann, "Nonparametrics", 1975, section 1.4).
  All requests of a bucket are ties. Its effect size is the probability of superiority: how often
  the newer one of two requests, one of each set, is the slower (Vargha, Delaney, 2000).
- The slow ones: Mood's median test, at the 95th percentile of both sets together (Conover,
  "Practical Nonparametric Statistics", 1999, section 4.3). U hardly sees one request in twenty.
- Errors: the two-proportion test with Yates' correction for continuity (Yates, 1934).

The three share one rate of false alarms (Bonferroni). With a million requests chance explains
nothing any more, so a difference must also be one that somebody would notice: as a whole in the
median ratio of two requests, one of each set (Hodges, Lehmann, 1963). The p50 of an operation with
two modes would be a lottery between them. The tests take requests as independent of each other.
Those of a server are not quite, as when it stalls: a short time is judged too surely.
"""

import math
from typing import Final, Literal

import msgspec
import numpy as np

from .base import Heatmap, Stats
from .latency import GAMMA, Numbers

#: How often a difference is called real where there is none, at most.
RATE: Final = 0.01
#: Of each of the three tests.
EACH: Final = RATE / 3
#: With fewer requests on a side nothing is said.
FEWEST: Final = 30
#: A time that changes by less than this share is the same: nobody notices.
LEAST_SHARE: Final = 0.05
#: The same of error rates: as a share of all requests, and as a share of the rate itself.
LEAST_ERRORS: Final = 0.001
LEAST_ERRORS_SHARE: Final = 0.1
TAIL: Final = 0.95

Kind = Literal["slower", "faster", "mixed", "same", "few"]


class Sample(msgspec.Struct, frozen=True):
    """Some requests: their numbers, and their latency histogram in one step."""

    stats: Stats
    histogram: Heatmap


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said of a newer set of requests against an older one."""

    kind: Kind
    #: Which response times really changed: on the whole; the slow ones.
    whole: bool = False
    tail: bool = False
    #: Of two requests, one of each set: the probability that the newer is the slower one.
    slower: float = 0.5
    #: The probability that chance alone makes times differ so; the lesser one of both tests.
    chance: float = 1.0
    #: Whether the error rates really differ, and how probable that is by chance.
    errors: bool = False
    errors_chance: float = 1.0


def judge(now: Sample, before: Sample) -> Verdict:
    """The verdict on a newer set of requests against an older one."""
    if min(now.stats.requests, before.stats.requests) < FEWEST:
        return Verdict(kind="few")
    mine, others = aligned(now.histogram, before.histogram)
    slower, whole_chance = mann_whitney(mine, others)
    tail_chance = quantile_test(mine, others, TAIL)
    middle = typical_ratio(mine, others)
    tail = (now.stats.p95_us or 1) / (before.stats.p95_us or 1)
    whole_real = whole_chance < EACH and _noticed(middle)
    tail_real = tail_chance < EACH and _noticed(tail)
    errors_chance = two_proportions(
        (now.stats.errors, now.stats.requests), (before.stats.errors, before.stats.requests)
    )
    return Verdict(
        kind=_kind([ratio for ratio, real in ((middle, whole_real), (tail, tail_real)) if real]),
        whole=whole_real,
        tail=tail_real,
        slower=slower,
        chance=min(whole_chance, tail_chance),
        errors=errors_chance < EACH and _errors_noticed(now.stats, before.stats),
        errors_chance=errors_chance,
    )


def aligned(one: Heatmap, other: Heatmap) -> tuple[Numbers, Numbers]:
    """Requests by bucket of both, from the fastest bucket of either to the slowest."""
    least = min(one.buckets + other.buckets)
    width = max(one.buckets + other.buckets) - least + 1
    mine, others = (
        np.bincount(np.array(each.buckets) - least, each.requests, width) for each in (one, other)
    )
    return mine, others


def mann_whitney(mine: Numbers, others: Numbers) -> tuple[float, float]:
    """The probability of superiority of the first, and that of such a difference by chance."""
    sizes = mine.sum(), others.sum()
    total, pairs = sizes[0] + sizes[1], sizes[0] * sizes[1]
    ties = mine + others
    wins = float((mine * (np.cumsum(others) - others / 2)).sum())
    variance = pairs / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    if variance <= 0:  # all of them in one bucket
        return 0.5, 1.0
    deviation = max(0.0, abs(wins - pairs / 2) - 0.5) / math.sqrt(variance)
    return float(wins / pairs), _two_sided(deviation)


def quantile_test(mine: Numbers, others: Numbers, quantile: float) -> float:
    """How probable it is by chance that so different shares lie above the quantile of both."""
    ranks = np.cumsum(mine + others)
    place = int(np.searchsorted(ranks, quantile * ranks[-1])) + 1
    return two_proportions(
        (int(mine[place:].sum()), int(mine.sum())), (int(others[place:].sum()), int(others.sum()))
    )


def two_proportions(one: tuple[int, int], other: tuple[int, int]) -> float:
    """How probable it is by chance that two shares, each (some, of all), differ so."""
    (some, all_of_one), (others, all_of_other) = one, other
    pooled = (some + others) / (all_of_one + all_of_other)
    each = 1 / all_of_one + 1 / all_of_other
    error = math.sqrt(pooled * (1 - pooled) * each)
    if not error:  # none of all, or all of all
        return 1.0
    difference = max(0.0, abs(some / all_of_one - others / all_of_other) - each / 2)
    return _two_sided(difference / error)


def typical_ratio(mine: Numbers, others: Numbers) -> float:
    """How many times as long as one of the others' a request of mine takes, in the median."""
    pairs = np.cumsum(np.convolve(mine, others[::-1]))
    shift = int(np.searchsorted(pairs, pairs[-1] / 2)) - (len(others) - 1)
    return float(GAMMA**shift)


def _kind(ratios: list[float]) -> Kind:
    """From the real changes, each a ratio of now to before."""
    ways = {ratio > 1 for ratio in ratios}
    if len(ways) != 1:
        return "mixed" if ways else "same"
    return "slower" if True in ways else "faster"


def _noticed(ratio: float) -> bool:
    return abs(ratio - 1) >= LEAST_SHARE


def _errors_noticed(now: Stats, before: Stats) -> bool:
    rates = now.errors / now.requests, before.errors / before.requests
    least = max(LEAST_ERRORS, LEAST_ERRORS_SHARE * rates[1])
    return abs(rates[0] - rates[1]) >= least


def _two_sided(deviation: float) -> float:
    """The probability that a normal variable is so many standard deviations off, or more."""
    return math.erfc(deviation / math.sqrt(2))
