"""The error rate over time: which share of the requests failed."""

from collections.abc import Mapping
from typing import Any, Final

from ..downloads import Table
from ..formats import instant_us
from ..scope import Scope
from .axis import axis, first_heard
from .base import Panel


def show(scope: Scope) -> Mapping[str, Any]:
    return {
        "chart": data(scope),
        "rows": [
            (point.start_us, point.errors, point.requests)
            for point in reversed(scope.series)
            if point.requests
        ],
        "scope": scope,
    }


def data(scope: Scope) -> Mapping[str, Any]:
    """Counts, so that what is added up stays exact; the browser divides."""
    return {
        **axis(scope),
        "title": "% of requests",
        "errors": [point.errors for point in scope.series],
        "requests": [point.requests for point in scope.series],
    }


def table(scope: Scope) -> Table:
    heard = first_heard(scope)
    return Table(
        ("start", "requests", "errors", "error_rate", "releases"),
        (
            (
                instant_us(one.start_us),
                one.requests,
                one.errors,
                one.errors / one.requests if one.requests else None,
                heard.get(one.start_us),
            )
            for one in scope.series
        ),
    )


PANEL: Final = Panel("errors", show, data, table)
