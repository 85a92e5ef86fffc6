"""Response time: three percentiles over time."""

from collections.abc import Mapping
from typing import Any, Final

from ..downloads import Table, milliseconds
from ..formats import Unit, duration_unit, instant_us
from ..scope import Scope
from .axis import axis, first_heard
from .base import Panel

PERCENTILES: Final = ("p50", "p95", "p99")


def show(scope: Scope) -> Mapping[str, Any]:
    return {
        "chart": data(scope),
        "scope": scope,
        "unit": unit(scope),
        "totals": [(name, getattr(scope.summary, f"{name}_us")) for name in PERCENTILES],
        "rows": [
            (point.start_us, [getattr(point, f"{name}_us") for name in PERCENTILES])
            for point in reversed(scope.series)
            if point.requests
        ],
    }


def data(scope: Scope) -> Mapping[str, Any]:
    """Percentiles in microseconds, null where nothing happened, so that gaps stay gaps."""
    points = scope.series
    return {
        **axis(scope),
        "unit": {"symbol": unit(scope).symbol, "size": unit(scope).size},
        "title": unit(scope).symbol,
        "totals": {name: getattr(scope.summary, f"{name}_us") for name in PERCENTILES},
        "percentiles": {
            name: [_rounded(getattr(point, f"{name}_us")) for point in points]
            for name in PERCENTILES
        },
    }


def unit(scope: Scope) -> Unit:
    """One unit for the whole chart, that of its typical p95."""
    return duration_unit(point.p95_us for point in scope.series)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)


def table(scope: Scope) -> Table:
    heard = first_heard(scope)
    return Table(
        ("start", "requests", *(f"{name}_ms" for name in PERCENTILES), "releases"),
        (
            (
                instant_us(one.start_us),
                one.requests,
                *(milliseconds(getattr(one, f"{name}_us")) for name in PERCENTILES),
                heard.get(one.start_us),
            )
            for one in scope.series
        ),
    )


PANEL: Final = Panel("latency", show, data, table)
