"""The latency heatmap: when, how long, how many. Slow modes that percentiles hide are bands here.

A cell is a step of time and a band of response times. A band is a few of the store's latency
buckets, so that its edges are exact: the requests behind a cell are those counted in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

import numpy as np

from flask_performance.server.store.base import Heatmap
from flask_performance.server.store.latency import Numbers, least_of

from ..downloads import Table
from ..formats import instant_us, spread
from ..scope import Scope
from .axis import axis, starts
from .base import Panel

#: Buckets a band; four are 8 % wide.
WIDTHS: Final = (4, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96)
MOST_BANDS: Final = 40
#: Of the table view.
MOST_COLUMNS: Final = 8
#: Strengths of the colour; the style sheet names them `--heat-1` and so on.
SHADES: Final = 8
#: By the start of a step, of those that have requests: how many are in each band.
Cells = Mapping[int, Numbers]


@dataclass(frozen=True)
class Bands:
    """Bands of equal width, in buckets, from the shortest response time to the longest."""

    first: int
    count: int
    width: int

    @classmethod
    def over(cls, buckets: list[int]) -> "Bands":
        """As fine as can be, and at most MOST_BANDS."""
        least, most = min(buckets, default=0), max(buckets, default=-1)
        for width in WIDTHS:
            first, last = least // width, most // width
            if last - first < MOST_BANDS:
                break
        return cls(first, last - first + 1, width)

    def of(self, bucket: int) -> int:
        return bucket // self.width - self.first

    @cached_property
    def edges_us(self) -> list[int]:
        """Where each band begins, and where the last ends (exclusive)."""
        return [least_of((self.first + band) * self.width) for band in range(self.count + 1)]

    @property
    def columns(self) -> list[tuple[int, int]]:
        """The bands in at most MOST_COLUMNS groups: first and last, exclusive."""
        size = -(-self.count // MOST_COLUMNS) or 1
        return [(at, min(at + size, self.count)) for at in range(0, self.count, size)]


def show(scope: Scope) -> Mapping[str, Any]:
    bands, cells = gathered(scope.heatmap)
    return {
        "chart": _data(scope, bands, cells),
        "columns": [
            (spread(bands.edges_us[first], bands.edges_us[last]), *_edges(bands, first, last))
            for first, last in bands.columns
        ],
        "rows": _rows(bands, cells),
        "most": _most(cells),
        "shades": range(1, SHADES + 1),
        "step_us": scope.window.step_us,
        "scope": scope,
    }


def data(scope: Scope) -> Mapping[str, Any]:
    return _data(scope, *gathered(scope.heatmap))


def gathered(heatmap: Heatmap) -> tuple[Bands, Cells]:
    """The bands, and for every step with requests how many are in each of them."""
    bands = Bands.over(heatmap.buckets)
    starts_us, steps = np.unique(np.array(heatmap.starts_us, "i8"), return_inverse=True)
    places = steps * bands.count + np.array(heatmap.buckets, "i8") // bands.width - bands.first
    # Their sums are doubles, and exact: nobody has 2^53 requests.
    counts = np.bincount(places, heatmap.requests, minlength=len(starts_us) * bands.count)
    table = counts.astype("i8").reshape(len(starts_us), bands.count)
    return bands, dict(zip(starts_us.tolist(), table, strict=True))


def _data(scope: Scope, bands: Bands, cells: Cells) -> Mapping[str, Any]:
    """For every step pairs of a band and its requests, one behind the other."""
    return {
        **axis(scope),
        "title": "requests a cell",
        "edges": bands.edges_us,
        "most": _most(cells),
        "cells": [
            _pairs(cells[start_us]) if start_us in cells else [] for start_us in starts(scope)
        ],
        "columns": [
            {
                "label": spread(bands.edges_us[first], bands.edges_us[last]),
                "first": first,
                "last": last,
            }
            for first, last in bands.columns
        ],
    }


def _pairs(counts: Numbers) -> list[int]:
    found = np.flatnonzero(counts)
    pairs: list[int] = np.column_stack((found, counts[found])).ravel().tolist()
    return pairs


def _rows(bands: Bands, cells: Cells) -> list[tuple[int, list[int]]]:
    """The chart as a table: start of a step, requests by column, newest first."""
    firsts = [first for first, _ in bands.columns]
    return [
        (start_us, np.add.reduceat(counts, firsts).tolist())
        for start_us, counts in sorted(cells.items(), key=itemgetter(0), reverse=True)
    ]


def _edges(bands: Bands, first: int, last: int) -> tuple[int, int]:
    return bands.edges_us[first], bands.edges_us[last]


def _most(cells: Cells) -> int:
    return max((int(counts.max()) for counts in cells.values()), default=0)


def table(scope: Scope) -> Table:
    """As fine as the store has it: a row a step and bucket."""
    found = scope.heatmap
    return Table(
        ("start", "duration_from_ms", "duration_to_ms", "requests"),
        (
            (instant_us(start_us), least_of(bucket) / 1000, least_of(bucket + 1) / 1000, requests)
            for start_us, bucket, requests in zip(
                found.starts_us, found.buckets, found.requests, strict=True
            )
        ),
    )


PANEL: Final = Panel("heatmap", show, data, table)
