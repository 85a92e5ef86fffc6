"""From grouped histograms, as a store's SQL returns them, to the numbers people see.

Columns come sorted by `group` and `bucket`; every group is one histogram.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .base import Heatmap, Point, Spread, Stats
from .latency import Numbers, quantiles

NOTHING: Final = Stats(requests=0, errors=0, duration_us=0, p50_us=None, p95_us=None, p99_us=None)

Columns = dict[str, Any]
#: Between what the buckets -1 and 0 stand for.
ZERO_BELOW: Final = 0.98

COUNTS: Final = ("requests", "errors", "duration_us")  # the last in double, see sql/schema.sql
#: Only where Apdex was asked for.
JUDGED: Final = ("satisfied", "tolerated")
#: The answers that `sql/kind.sql` numbers, each three times: as it is judged for Apdex, neither,
#: satisfied or tolerated. Those who left early are numbered twice, the last time those who left an
#: error.
ANSWERS: Final = (
    "informational", "success", "redirect", "client_error", "server_error", "disconnected",
    "disconnected",
)  # fmt: skip
ERRORS: Final = (4, 6)
STEP_COUNTS: Final = (*dict.fromkeys(ANSWERS), "errors")


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


def counted(columns: Columns, *, judged: bool) -> Columns:
    """The histograms of `sql/histogram.sql` alone, by group and bucket: what a group counts beside
    its requests stands in its first row, so that sums over its rows are those of the group."""
    counts = columns["kind"] >= 0
    found = {name: columns[name][~counts] for name in ("group", "bucket", "requests")}
    found["duration_us"] = columns["duration_us"][~counts]
    order = np.lexsort((found["bucket"], found["group"]))
    found = {name: column[order] for name, column in found.items()}
    starts = _starts(found["group"])
    keys = found["group"][starts]
    table = np.zeros((len(keys), len(ANSWERS), 1 + len(JUDGED)), dtype="i8")
    answers, judgements = np.divmod(columns["kind"][counts], 1 + len(JUDGED))
    places = np.searchsorted(keys, columns["group"][counts])
    table[places, answers, judgements] = columns["requests"][counts]
    by_answer = table.sum(axis=2)
    sums = {
        name: by_answer[:, [place for place, one in enumerate(ANSWERS) if one == name]].sum(axis=1)
        for name in dict.fromkeys(ANSWERS)
    } | {"errors": by_answer[:, ERRORS].sum(axis=1)}
    if judged:
        sums |= {name: table[:, :, 1 + place].sum(axis=1) for place, name in enumerate(JUDGED)}
    for name, numbers in sums.items():
        found[name] = np.zeros(len(order), dtype="i8")
        found[name][starts] = numbers
    return found


def together(columns: Columns) -> Columns:
    """The histogram of all groups."""
    order = np.argsort(columns["bucket"], kind="stable")
    buckets = columns["bucket"][order]
    starts = _starts(buckets)
    if not len(starts):
        return columns
    sums = {
        name: np.add.reduceat(column[order], starts)
        for name, column in columns.items()
        if name not in ("group", "bucket")
    }
    return sums | {"group": np.zeros(len(starts), dtype="i8"), "bucket": buckets[starts]}


def judged_apart(columns: Columns, apart: Columns) -> Columns:
    """All requests judged for Apdex: `columns` by the project's threshold; `apart` says of those
    with a threshold of their own how they are judged by it (`own`), and are in `columns`
    (`usual`)."""
    starts = _starts(columns["group"])
    places = starts[np.searchsorted(columns["group"][starts], apart["group"])]
    judged = {name: columns[name].copy() for name in JUDGED}
    for number, name in enumerate(JUDGED, 1):
        for by, sign in (("own", 1), ("usual", -1)):
            so = apart[by] == number
            np.add.at(judged[name], places[so], sign * apart["requests"][so])
    return columns | judged


def _starts(keys: Numbers) -> Numbers:
    """Where each run of equal keys begins."""
    return np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][: len(keys)])


def _groups(
    columns: Columns, names: tuple[str, ...]
) -> list[tuple[int, dict[str, int], tuple[float, float, float]]]:
    """For every group: its key, the sums of the named columns, the quantiles."""
    keys: Numbers = columns["group"]
    if not len(keys):
        return []
    starts = _starts(keys)
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
