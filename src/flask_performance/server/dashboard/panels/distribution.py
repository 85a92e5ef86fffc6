"""The latency distribution: a histogram on a logarithmic scale, with the percentiles marked."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flask_performance.server.store.base import Heatmap, Stats
from flask_performance.server.store.latency import least_of
from flask_performance.server.store.verdict import FEWEST, Sample

from ..downloads import Table
from ..formats import duration_unit, spread
from ..scope import Scope
from . import comparison
from .base import Panel
from .heatmap import Bands

#: Height of the drawing, of its bars, and what is kept free above them for the marks (pixels).
HEIGHT: Final = 280
GROUND: Final = 256
TOP: Final = 52
PERCENTILES: Final = ("p50", "p95", "p99")
#: A label stands left of its line, and right of it where it would leave the drawing (per cent).
TURNS_AT: Final = 20.0


@dataclass(frozen=True)
class Bar:
    """A band: its place (x and width in per cent, y and height in pixels) and what is in it."""

    x: float
    width: float
    y: float
    height: float
    label: str
    requests: int
    from_us: int
    to_us: int


@dataclass(frozen=True)
class Line:
    """A piece of an outline: places in per cent of the width and in pixels of the height."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Mark:
    """A vertical line with a label."""

    name: str
    x: float
    y: int
    label: str

    @property
    def anchor(self) -> str:
        return "end" if self.x > TURNS_AT else "start"


class Scale:
    """From durations to per cent of the width, from shares of requests to pixels of height."""

    def __init__(self, bands: Bands, tallest: float, ground: int = GROUND, top: int = TOP) -> None:
        self._least = math.log(max(bands.edges_us[0], 1))
        self._width = max(math.log(max(bands.edges_us[-1], 2)) - self._least, 0.01)
        self._tallest, self._top, self.ground = tallest, top, ground

    def x(self, us: float) -> float:
        place = (math.log(max(us, 1)) - self._least) / self._width * 100
        return round(min(max(place, 0.0), 100.0), 2)

    def height(self, share: float) -> float:
        return max(1.0, round(share / self._tallest * (self.ground - self._top), 1))


class Side(NamedTuple):
    """What is drawn of one of two: in words, and the filter beyond the page's own."""

    name: str
    sample: Sample
    filter: Mapping[str, str]

    @property
    def title(self) -> str:
        """The head of a column; a release is called as it is."""
        return self.name if self.filter else self.name.capitalize()

    @property
    def requests(self) -> int:
        return self.sample.stats.requests


def sides(scope: Scope) -> tuple[Side, Side]:
    """Two releases where they are chosen, else this period and the one before."""
    newer, older = comparison.releases(scope)
    if newer and older and (scope.state.newer or scope.state.older):
        first, second = (
            Side(name, scope.sample_of(name), {"release": name}) for name in (newer, older)
        )
        return first, second
    return (
        Side("this period", Sample(scope.summary, scope.distribution), {}),
        Side("the one before", Sample(scope.before, scope.distribution_before), {}),
    )


def show(scope: Scope) -> Mapping[str, Any]:
    now, before = sides(scope)
    drawn = now.sample.histogram
    if not drawn.buckets:
        return {"bars": [], "scope": scope}
    bands = Bands.over(drawn.buckets + before.sample.histogram.buckets)
    counts, past = (banded(bands, one.sample.histogram) for one in (now, before))
    enough = before.requests >= FEWEST  # the shape of a few is chance
    tallest = max(tallest_share(counts), tallest_share(past) if enough else 0)
    scale = Scale(bands, tallest)
    return {
        "bars": bars(bands, counts, scale),
        "outline": outline(bands, past, scale) if enough else [],
        "rows": rows(bands, counts, past),
        "now": now,
        "before": before,
        "marks": marks(now.sample.stats, scale),
        "ticks": ticks(bands, scale),
        "height": HEIGHT,
        "ground": GROUND,
        "scope": scope,
    }


def banded(bands: Bands, histogram: Heatmap) -> Counter[int]:
    """Requests by band."""
    counts: Counter[int] = Counter()
    for bucket, requests in zip(histogram.buckets, histogram.requests, strict=True):
        counts[bands.of(bucket)] += requests
    return counts


def tallest_share(counts: Counter[int]) -> float:
    """Of all requests: those in the most frequent band."""
    return max(counts.values()) / sum(counts.values()) if counts else 0.0


def bars(bands: Bands, counts: Counter[int], scale: Scale) -> list[Bar]:
    """One for every band that has requests, as tall as its share of all."""
    all_of_them = sum(counts.values())
    found = []
    for band, requests in sorted(counts.items()):
        from_us, to_us = bands.edges_us[band : band + 2]
        height = scale.height(requests / all_of_them)
        x = scale.x(from_us)
        width = max(round(scale.x(to_us) - x, 2), 0.1)
        label = spread(from_us, to_us)
        found.append(Bar(x, width, scale.ground - height, height, label, requests, from_us, to_us))
    return found


def outline(bands: Bands, counts: Counter[int], scale: Scale) -> list[Line]:
    """The tops of bars and the steps between them, from the ground to the ground."""
    all_of_them = sum(counts.values())
    if not all_of_them:
        return []
    ground = float(scale.ground)
    found, level = [], ground
    for band in range(bands.count):
        from_x, to_x = (scale.x(us) for us in bands.edges_us[band : band + 2])
        share = counts[band] / all_of_them
        top = ground - (scale.height(share) if share else 0.0)
        if top != level:
            found.append(Line(from_x, level, from_x, top))
        if share:
            found.append(Line(from_x, top, to_x, top))
        level = top
    if level != ground:
        found.append(Line(100.0, level, 100.0, ground))
    return found


def rows(
    bands: Bands, now: Counter[int], before: Counter[int]
) -> list[tuple[str, int, int, int, int]]:
    """The drawing as a table: words, edges, and the requests of both periods."""
    edges_us = bands.edges_us
    return [
        (spread(from_us, to_us), from_us, to_us, now[band], before[band])
        for band in sorted(now.keys() | before.keys())
        for from_us, to_us in [(edges_us[band], edges_us[band + 1])]
    ]


def marks(stats: Stats, scale: Scale) -> list[Mark]:
    """The percentiles; the further right a line, the higher it starts: none crosses a label."""
    found = []
    for line, name in enumerate(reversed(PERCENTILES)):
        us = getattr(stats, f"{name}_us")
        if us is not None:
            unit = duration_unit([us])
            label = f"{name} {unit.show(us)} {unit.symbol}"
            found.append(Mark(name, scale.x(us), 12 + 15 * line, label))
    return found


def ticks(bands: Bands, scale: Scale) -> list[tuple[float, str]]:
    """Powers of ten; in between, where there are less than two."""
    least, most = bands.edges_us[0], bands.edges_us[-1]
    powers = [10**power for power in range(19)]
    inside = [us for us in powers if least <= us <= most]
    if len(inside) < 2:
        inside = [us * step for us in powers for step in (1, 2, 5) if least <= us * step <= most]
    return [(scale.x(us), _short(us)) for us in inside]


def _short(us: int) -> str:
    """A duration in its own unit, as short as it can be said: "1 ms", "20 s"."""
    for symbol, size in (("s", 1_000_000), ("ms", 1_000)):
        if us >= size:
            return f"{us // size:,} {symbol}"
    return f"{us} µs"


def table(scope: Scope) -> Table:
    """As fine as the store has it: a row a bucket."""
    now, before = (
        dict(zip(one.sample.histogram.buckets, one.sample.histogram.requests, strict=True))
        for one in sides(scope)
    )
    return Table(
        ("duration_from_ms", "duration_to_ms", "requests", "requests_before"),
        (
            (
                *(least_of(edge) / 1000 for edge in (bucket, bucket + 1)),
                *(counts.get(bucket, 0) for counts in (now, before)),
            )
            for bucket in sorted(now.keys() | before.keys())
        ),
    )


PANEL: Final = Panel("distribution", show, table=table)
