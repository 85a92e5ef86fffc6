"""The verdict: chance is hardly ever called a difference, and a difference is found."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_performance.server.store.base import Heatmap, Stats
from flask_performance.server.store.latency import GAMMA, Numbers
from flask_performance.server.store.verdict import (
    FEWEST,
    RATE,
    Sample,
    aligned,
    judge,
    mann_whitney,
    quantile_test,
    two_proportions,
)

#: Kept results of scipy 1.17.1: statistic and p of `mannwhitneyu(..., method="asymptotic")`, and
#: the p of `chi2_contingency`, for the numbers in `test_the_tests_agree_with_scipy`.
MANN_WHITNEY = (73.5, 0.020852617620538222)
YATES = 0.0035792900678239797


def sample(durations_us: Numbers, errors: int = 0) -> Sample:
    """What a store says of requests that took so long; errors count by number alone."""
    buckets = np.ceil(np.log(np.maximum(durations_us, 1)) / math.log(GAMMA)).astype(int)
    numbers, requests = np.unique(buckets, return_counts=True)
    p50, p95, p99 = np.percentile(durations_us, [50, 95, 99], method="inverted_cdf").tolist()
    stats = Stats(
        requests=len(durations_us), errors=errors, duration_us=int(durations_us.sum()),
        p50_us=p50, p95_us=p95, p99_us=p99,
    )  # fmt: skip
    histogram = Heatmap(
        starts_us=[0] * len(numbers), buckets=numbers.tolist(), requests=requests.tolist()
    )
    return Sample(stats, histogram)


def shop(random: np.random.Generator, requests: int, modes: list[float], wide: float) -> Numbers:
    """Response times of an operation with some modes, milliseconds apart by their factors."""
    return 5_000 * random.choice(modes, requests) * random.lognormal(0, wide, requests)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(FEWEST, 3_000), st.integers(FEWEST, 3_000)),
    modes=st.lists(st.floats(1, 100), min_size=1, max_size=3),
    wide=st.floats(0.001, 1.5),
    error_rate=st.floats(0, 0.5),
)
def test_chance_is_called_a_difference_at_most_at_the_rate(
    seed: int, sizes: tuple[int, int], modes: list[float], wide: float, error_rate: float
) -> None:
    random, times = np.random.default_rng(seed), 150
    alarms = 0
    for _ in range(times):
        now, before = (
            sample(shop(random, size, modes, wide), int(random.binomial(size, error_rate)))
            for size in sizes
        )
        verdict = judge(now, before)
        alarms += verdict.kind != "same" or verdict.errors
    # Five deviations above what the rate allows: one run in a million would see more.
    assert alarms <= times * RATE + 5 * math.sqrt(times * RATE * (1 - RATE)) + 1


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    modes=st.lists(st.floats(1, 100), min_size=1, max_size=3),
    wide=st.floats(0.05, 1.0),
    factor=st.sampled_from([0.5, 0.67, 1.5, 2.0, 10.0]),
)
def test_a_shift_of_a_half_is_found_whatever_the_shape(
    seed: int, modes: list[float], wide: float, factor: float
) -> None:
    random = np.random.default_rng(seed)
    before = shop(random, 20_000, modes, wide)
    now = factor * shop(random, 20_000, modes, wide)
    verdict = judge(sample(now), sample(before))
    assert verdict.kind == ("slower" if factor > 1 else "faster")
    assert verdict.whole
    assert (verdict.slower > 0.5) == (factor > 1)


def test_who_is_newer_decides_the_word_alone() -> None:
    random = np.random.default_rng(1)
    fast, slow = (sample(shop(random, 800, [mode], 0.4)) for mode in (1.0, 1.4))
    there, back = judge(slow, fast), judge(fast, slow)
    assert (there.kind, back.kind) == ("slower", "faster")
    assert there.slower == pytest.approx(1 - back.slower)
    assert there.chance == pytest.approx(back.chance)


def test_a_slow_twentieth_is_found_though_the_rest_is_the_same() -> None:
    random = np.random.default_rng(2)
    before = shop(random, 20_000, [1.0], 0.2)
    now = shop(random, 20_000, [1.0], 0.2)
    now[:1_600] *= 8
    verdict = judge(sample(now), sample(before))
    assert (verdict.kind, verdict.whole, verdict.tail) == ("slower", False, True)


def test_faster_in_the_middle_and_slower_at_the_end_is_both() -> None:
    random = np.random.default_rng(3)
    before = shop(random, 5_000, [1.0], 0.2)
    now = before * 0.7
    now[:600] = before[:600] * 9
    verdict = judge(sample(now), sample(before))
    assert (verdict.kind, verdict.whole, verdict.tail) == ("mixed", True, True)


def test_a_million_requests_do_not_make_three_per_mille_a_difference() -> None:
    random = np.random.default_rng(4)
    before, now = (shop(random, 1_000_000, [factor], 0.3) for factor in (1.0, 1.003))
    verdict = judge(sample(now, 5_100), sample(before, 4_900))
    assert verdict.kind == "same"
    assert not verdict.errors


@pytest.mark.parametrize(
    ("now", "before", "real"),
    [(40, 10, True), (10, 40, True), (12, 10, False), (0, 0, False), (1, 0, False), (0, 9, False)],
)
def test_errors_differ_beyond_chance_or_not(now: int, before: int, real: bool) -> None:
    durations = np.full(1_000, 5_000.0)
    assert judge(sample(durations, now), sample(durations, before)).errors is real


@pytest.mark.parametrize(("now", "before"), [(0, 0), (FEWEST - 1, 900), (900, 3)])
def test_of_a_few_nothing_is_said(now: int, before: int) -> None:
    nothing = Stats(requests=0, errors=0, duration_us=0, p50_us=None, p95_us=None, p99_us=None)
    few = Sample(nothing, Heatmap(starts_us=[], buckets=[], requests=[]))
    one, other = (sample(np.full(n, 9.0)) if n else few for n in (now, before))
    assert judge(one, other).kind == "few"


def test_equal_times_do_not_differ() -> None:
    same = sample(np.full(500, 7_000.0))
    assert judge(same, same).kind == "same"


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=30),
    st.lists(st.integers(0, 5), min_size=1, max_size=30),
)
def test_superiority_is_the_share_of_pairs(now: list[int], before: list[int]) -> None:
    mine, others = histograms(now, before)
    wins = sum((a > b) + (a == b) / 2 for a in now for b in before)
    assert mann_whitney(mine, others)[0] == pytest.approx(wins / len(now) / len(before))


def test_the_probabilities_are_those_of_all_arrangements() -> None:
    """Against the exact test: every way to deal the same eight durations to the two sides."""
    now, before = [5, 6, 7, 9], [1, 2, 2, 5]
    both = now + before
    found = mann_whitney(*histograms(now, before))
    dealt = [
        mann_whitney(
            *histograms([both[i] for i in mine], [both[i] for i in set(range(8)) - set(mine)])
        )[0]
        for mine in combinations(range(8), 4)
    ]
    exact = sum(abs(one - 0.5) >= abs(found[0] - 0.5) - 1e-12 for one in dealt) / len(dealt)
    assert found[1] == pytest.approx(exact, abs=0.02)


def test_the_tests_agree_with_scipy() -> None:
    now, before = [3, 3, 4, 5, 5, 6, 9, 9, 9, 12], [1, 2, 2, 3, 3, 4, 4, 5, 6]
    superiority, chance = mann_whitney(*histograms(now, before))
    assert superiority * len(now) * len(before) == pytest.approx(MANN_WHITNEY[0])
    assert chance == pytest.approx(MANN_WHITNEY[1], rel=1e-9)
    assert two_proportions((40, 900), (12, 700)) == pytest.approx(YATES, rel=1e-9)


def test_the_tail_is_that_of_both_together() -> None:
    mine, others = histograms([1] * 95 + [9] * 5, [1] * 99 + [9])
    assert quantile_test(mine, others, 0.95) == two_proportions((5, 100), (1, 100))
    assert quantile_test(mine, mine, 0.95) == 1.0


def histograms(now: list[int], before: list[int]) -> tuple[Numbers, Numbers]:
    one, other = (
        Heatmap(starts_us=[0] * len(c), buckets=sorted(c), requests=[c[b] for b in sorted(c)])
        for c in (Counter(now), Counter(before))
    )
    return aligned(one, other)
