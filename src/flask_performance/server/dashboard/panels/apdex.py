"""Apdex over time: how many did not have to wait, as apdex.org counts them."""

from collections.abc import Mapping
from typing import Any, Final

from flask_performance.server.store.base import Point, Stats

from ..downloads import Table
from ..formats import apdex, count, instant_us, threshold
from ..scope import Scope
from .axis import axis, first_heard
from .base import Panel

#: What requests are judged as.
NAMES: Final = ("satisfied", "tolerated", "neither")


def show(scope: Scope) -> Mapping[str, Any]:
    return {
        "chart": data(scope),
        "totals": [
            ("apdex", "Apdex", apdex(scope.summary.apdex)),
            *zip(NAMES, NAMES, map(count, counts(scope.summary)), strict=True),
        ],
        "rows": [
            (point.start_us, apdex(point.apdex), counts(point))
            for point in reversed(scope.series)
            if point.requests
        ],
        "scope": scope,
    }


def data(scope: Scope) -> Mapping[str, Any]:
    judged = scope.thresholds
    return {
        **axis(scope),
        "title": "" if judged is None else f"{threshold(judged.us)} ms satisfies",
        "totals": [scope.summary.apdex, *counts(scope.summary)],
        "apdex": [point.apdex for point in scope.series],
        "counts": [counts(point) for point in scope.series],
    }


def counts(some: Point | Stats) -> tuple[int, int, int]:
    """How many satisfied, were tolerated, and were neither: too slow, or an error."""
    satisfied, tolerated = some.satisfied or 0, some.tolerated or 0
    return satisfied, tolerated, some.requests - satisfied - tolerated


def table(scope: Scope) -> Table:
    heard = first_heard(scope)
    return Table(
        ("start", "requests", "satisfied", "tolerated", "apdex", "releases"),
        (
            (
                instant_us(one.start_us), one.requests, *counts(one)[:2], one.apdex,
                heard.get(one.start_us),
            )
            for one in scope.series
        ),
    )  # fmt: skip


PANEL: Final = Panel("apdex", show, data, table)
