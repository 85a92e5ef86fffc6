"""Who asks: the consumers with the most total time, where the app names them."""

from collections.abc import Mapping
from typing import Any, Final

from ..downloads import Table, milliseconds
from ..formats import duration_unit, element_id
from ..scope import Scope
from .base import Panel


def show(scope: Scope) -> Mapping[str, Any]:
    total_us = scope.summary.duration_us
    return {
        "rows": [
            (
                element_id("consumer", one.consumer),
                one,
                one.duration_us / total_us if total_us else 0.0,
                scope.requests_link(consumer=one.consumer),
            )
            for one in scope.consumers
        ],
        "unit": duration_unit(one.p95_us for one in scope.consumers),
    }


def table(scope: Scope) -> Table:
    return Table(
        ("consumer", "requests", "errors", "total_ms", "p50_ms", "p95_ms", "p99_ms"),
        (
            (
                *(one.consumer, one.requests, one.errors),
                *map(milliseconds, (one.duration_us, one.p50_us, one.p95_us, one.p99_us)),
            )
            for one in scope.consumers
        ),
    )


PANEL: Final = Panel("consumers", show, table=table)
