"""The latency distribution: a histogram on a logarithmic scale, with the percentiles marked."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import Stats
from flask_performance.server.store.latency import least_of

from ..downloads import Table
from ..formats import duration_unit, spread
from ..scope import Scope
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
    """From durations to per cent of the width."""

    def __init__(self, bands: Bands) -> None:
        self._least = math.log(max(bands.edges_us[0], 1))
        self._width = max(math.log(max(bands.edges_us[-1], 2)) - self._least, 0.01)

    def x(self, us: float) -> float:
        place = (math.log(max(us, 1)) - self._least) / self._width * 100
        return round(min(max(place, 0.0), 100.0), 2)


def show(scope: Scope) -> Mapping[str, Any]:
    found = scope.distribution
    if not found.buckets:
        return {"bars": [], "marks": [], "ticks": [], "scope": scope}
    bands = Bands.over(found.buckets)
    counts: Counter[int] = Counter()
    for bucket, requests in zip(found.buckets, found.requests, strict=True):
        counts[bands.of(bucket)] += requests
    scale = Scale(bands)
    return {
        "bars": bars(bands, counts, scale),
        "marks": marks(scope.summary, scale),
        "ticks": ticks(bands, scale),
        "height": HEIGHT,
        "ground": GROUND,
        "scope": scope,
    }


def bars(bands: Bands, counts: Counter[int], scale: Scale) -> list[Bar]:
    """One for every band that has requests; the most frequent one is the tallest."""
    most = max(counts.values())
    found = []
    for band, requests in sorted(counts.items()):
        from_us, to_us = bands.edges_us[band : band + 2]
        height = max(1.0, round(requests / most * (GROUND - TOP), 1))
        x = scale.x(from_us)
        width = max(round(scale.x(to_us) - x, 2), 0.1)
        label = spread(from_us, to_us)
        found.append(Bar(x, width, GROUND - height, height, label, requests, from_us, to_us))
    return found


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
    found = scope.distribution
    return Table(
        ("duration_from_ms", "duration_to_ms", "requests"),
        (
            (least_of(bucket) / 1000, least_of(bucket + 1) / 1000, requests)
            for bucket, requests in zip(found.buckets, found.requests, strict=True)
        ),
    )


PANEL: Final = Panel("distribution", show, table=table)
