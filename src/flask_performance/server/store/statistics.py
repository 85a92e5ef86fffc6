"""From grouped histograms, as a store's SQL returns them, to the numbers people see.

Columns come sorted by `group` and `bucket`; every group is one histogram.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .base import Heatmap, Point, Spread, Stats
from .latency import Numbers, durations_of, quantiles

NOTHING: Final = Stats(requests=0, errors=0, duration_us=0, p50_us=None, p95_us=None, p99_us=None)

Columns = dict[str, Any]
#: Between what the buckets -1 and 0 stand for.
ZERO_BELOW: Final = 0.98

COUNTS: Final = ("requests", "errors", "duration_us")  # the last in double, see sql/schema.sql
#: More than there are: a place is a group's number times this, and the bucket.
BUCKETS: Final = 4096
#: Only where Apdex was asked for.
JUDGED: Final = ("satisfied", "tolerated")
KINDS: Final = (
    "informational", "success", "redirect", "client_error", "server_error", "disconnected",
)  # fmt: skip
STEP_COUNTS: Final = (*KINDS, "errors")


def grouped_stats(columns: Columns) -> dict[int, Stats]:
    """The numbers of every group."""
    names = COUNTS + tuple(name for name in JUDGED if name in columns)
    return {
        group: Stats(**counts, p50_us=p50, p95_us=p95, p99_us=p99)
        for group, counts, (p50, p95, p99) in _groups(columns, names)
    }


def spread_of(stats: Stats) -> Spread:
    """A histogram of anything that is not negative; its bucket -1 holds zeros alone."""
    quantiles = (stats.p50_us, stats.p95_us, stats.p99_us)
    p50, p95, p99 = (value if value and value > ZERO_BELOW else 0.0 for value in quantiles)
    return Spread(requests=stats.requests, p50=p50, p95=p95, p99=p99)


def grouped_points(columns: Columns, *, judged: bool) -> dict[int, Point]:
    """One point for every step that has requests; `judged`: Apdex is asked for."""
    names = STEP_COUNTS + (JUDGED if judged else ())
    return {
        group: Point(start_us=group, **counts, p50_us=p50, p95_us=p95, p99_us=p99)
        for group, counts, (p50, p95, p99) in _groups(columns, names)
    }


def heatmap_of(columns: Columns) -> Heatmap:
    """The histograms themselves."""
    starts_us, buckets, requests = (
        columns[name].tolist() for name in ("group", "bucket", "requests")
    )
    return Heatmap(starts_us=starts_us, buckets=buckets, requests=requests)


def empty_point(start_us: int, *, judged: bool) -> Point:
    """A step in which nothing happened; `judged`: Apdex was asked for."""
    names = STEP_COUNTS + (JUDGED if judged else ())
    return Point(
        start_us=start_us, **dict.fromkeys(names, 0), p50_us=None, p95_us=None, p99_us=None
    )


def judged_apart(columns: Columns, apart: Columns, threshold_us: int) -> Columns:
    """All requests judged for Apdex: those `apart` are judged already, the others here."""
    groups = np.union1d(columns["group"], apart["group"])
    places, own = (
        np.searchsorted(groups, some["group"]) * BUCKETS + some["bucket"].astype("i8")
        for some in (columns, apart)
    )
    _, here, there = np.intersect1d(places, own, return_indices=True)
    rest = {name: columns[name].copy() for name in COUNTS}
    satisfied, tolerated = (np.zeros(len(places), dtype="i8") for _ in JUDGED)
    for name in COUNTS:
        rest[name][here] -= apart[name][there]
    satisfied[here] += apart["satisfied"][there]
    tolerated[here] += apart["tolerated"][there]
    good = np.maximum(rest["requests"] - rest["errors"], 0)
    stand_for = durations_of(columns["bucket"].astype(float))
    typical = np.where(rest["requests"] == 1, rest["duration_us"], stand_for)
    satisfied += np.where(typical <= threshold_us, good, 0)
    tolerated += np.where((typical > threshold_us) & (typical <= 4 * threshold_us), good, 0)
    return columns | {"satisfied": satisfied, "tolerated": tolerated}


def _groups(
    columns: Columns, names: tuple[str, ...]
) -> list[tuple[int, dict[str, int], tuple[float, float, float]]]:
    """For every group: its key, the sums of the named columns, the quantiles."""
    keys: Numbers = columns["group"]
    if not len(keys):
        return []
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    histograms = (columns[name] for name in ("bucket", "requests", "duration_us"))
    quantile_rows = quantiles(starts, *histograms).tolist()
    sums = {name: np.add.reduceat(columns[name], starts).tolist() for name in names}
    return [
        (int(key), {name: int(sums[name][place]) for name in names}, tuple(quantile_rows[place]))
        for place, key in enumerate(keys[starts].tolist())
    ]


def regrouped(columns: Columns, group_of: Mapping[int, int]) -> Columns:
    """The histograms of groups that are the same under another key, put together.

    `group_of` gives every group's new key; a group that it does not know is left out.
    """
    keys = np.array([group_of.get(key, -1) for key in columns["group"].tolist()], dtype="i8")
    order = np.lexsort((columns["bucket"], keys))
    order = order[keys[order] >= 0]
    return {name: column[order] for name, column in (columns | {"group": keys}).items()}
