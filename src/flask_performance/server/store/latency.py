"""The latency histogram: logarithmic buckets that merge without loss, at most 1 % relative error.

The mapping is DDSketch's (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch
with relative-error guarantees", VLDB 2019): bucket i holds durations in (gamma^(i-1), gamma^i]
microseconds with gamma = (1 + a) / (1 - a); answering 2 gamma^i / (gamma + 1) for any of them is
off by at most a. Buckets of two histograms with the same number are simply added.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ACCURACY: Final = 0.01
GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
LN_GAMMA: Final = math.log(GAMMA)
#: The quantiles of every statistic, in percent: ranks are whole numbers, and stay exact.
PERCENTS: Final = (50, 95, 99)
#: The mapping where the requests are. Durations up to 1 µs share bucket 0.
BUCKET_SQL: Final = (
    f"case when duration_us > 1 then ceil(ln(duration_us) / {LN_GAMMA!r})::smallint else 0 end"
)
#: The duration that a bucket stands for.
MIDDLE_SQL: Final = f"2 * power({GAMMA!r}, bucket) / {GAMMA + 1!r}"
#: The last bucket that stands for no more than a threshold, and the last for no more than four
#: times as much: buckets are compared, because a power for every cell costs more than the rest.
WITHIN_SQL: Final = (
    f"floor(ln(greatest(@threshold, 1)::double * {(GAMMA + 1) / 2!r}) / {LN_GAMMA!r})"
)
FOURFOLD_SQL: Final = WITHIN_SQL.replace("::double", "::double * 4")

Numbers = NDArray[Any]


def durations_of(buckets: Numbers) -> Numbers:
    """The durations in microseconds that buckets stand for."""
    return np.asarray(2.0 * GAMMA**buckets / (GAMMA + 1))


def least_of(bucket: int) -> int:
    """The shortest duration (whole microseconds) that a bucket holds."""
    return math.floor(GAMMA ** (bucket - 1)) + 1 if bucket > 0 else 0


def quantiles(
    starts: Numbers, buckets: Numbers, requests: Numbers, durations_us: Numbers
) -> Numbers:
    """Quantiles of many histograms at once, in microseconds: a row a histogram, as in PERCENTS.

    The quantile of p percent of n durations is the one of rank ceil(n p / 100), counted from 1.

    The histograms lie behind each other in `buckets` (ascending within each), `requests` (all
    positive) and `durations_us` (their sums); `starts` says where each begins. A bucket with one
    request answers with its duration, so that the first requests of an app show what they took.
    """
    ranks = np.cumsum(requests)
    before = np.where(starts > 0, ranks[starts - 1], 0)
    totals = np.add.reduceat(requests, starts)
    wanted = before[:, None] - (-totals[:, None] * np.array(PERCENTS) // 100)
    found = np.searchsorted(ranks, wanted)
    stand_for = durations_of(buckets[found].astype(float))
    return np.where(requests[found] == 1, durations_us[found].astype(float), stand_for)
