"""Throughput: requests a second by status class, stacked."""

from collections.abc import Mapping
from typing import Any, Final

from ..downloads import Table
from ..formats import instant_us, rate_unit
from ..scope import Scope
from ..window import SECOND_US
from .axis import axis, first_heard
from .base import Panel

#: Name in the store, label, filter that shows these requests; from the bottom of the stack up.
CLASSES: Final = (
    ("success", "2xx", "2xx"),
    ("redirect", "3xx", "3xx"),
    ("client_error", "4xx", "4xx"),
    ("server_error", "5xx or failed", "5xx"),
    ("disconnected", "client left", None),
    ("informational", "1xx", "1xx"),
)

#: What the title of the chart calls the unit of its rates.
PERIODS: Final = {
    "k/s": "second, thousands",
    "/s": "second",
    "/min": "minute",
    "/h": "hour",
    "/d": "day",
}


def show(scope: Scope) -> Mapping[str, Any]:
    return {"chart": data(scope), "classes": CLASSES, "rows": rows(scope), "scope": scope}


def data(scope: Scope) -> Mapping[str, Any]:
    """Counts by class and the seconds to divide them by (null: too young for a rate)."""
    grid = scope.window.grid
    points = scope.series
    unit = rate_unit(point.requests * SECOND_US / grid.step_us for point in points)
    return {
        **axis(scope),
        "unit": {"symbol": unit.symbol, "size": unit.size},
        "title": f"requests per {PERIODS[unit.symbol]}",
        "seconds": [grid.seconds_of_step(point.start_us) for point in points],
        "counts": {name: [getattr(point, name) for point in points] for name, _, _ in CLASSES},
    }


def filling(scope: Scope) -> bool:
    """Whether requests are there that are not drawn yet: their step has just begun."""
    grid = scope.window.grid
    return any(
        point.requests and grid.seconds_of_step(point.start_us) is None for point in scope.series
    )


def rows(scope: Scope) -> list[tuple[int, list[int]]]:
    """The chart as a table: start of a step, requests by class; steps without any left out."""
    return [
        (point.start_us, [getattr(point, name) for name, _, _ in CLASSES])
        for point in reversed(scope.series)
        if point.requests
    ]


def table(scope: Scope) -> Table:
    names = tuple(name for name, _, _ in CLASSES)
    heard = first_heard(scope)
    return Table(
        ("start", "requests", *names, "releases"),
        (
            (
                instant_us(one.start_us),
                one.requests,
                *(getattr(one, name) for name in names),
                heard.get(one.start_us),
            )
            for one in scope.series
        ),
    )


PANEL: Final = Panel("throughput", show, data, table)
