"""How an operation answers: requests by status and outcome."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import StatusStats

from ..chips import OUTCOMES
from ..downloads import Table, milliseconds
from ..formats import duration_unit
from ..scope import Scope
from .base import Panel
from .requests import class_of


@dataclass(frozen=True)
class Row:
    """A status, and how its requests ended."""

    stats: StatusStats
    share: float
    #: The class that it is coloured as.
    name: str
    #: How they ended, where not as they should.
    ending: str
    link: str


def show(scope: Scope) -> Mapping[str, Any]:
    return {
        "rows": rows(scope),
        "unit": duration_unit(one.p95_us for one in scope.statuses),
    }


def rows(scope: Scope) -> list[Row]:
    """The most frequent first."""
    total = sum(one.requests for one in scope.statuses)
    return [
        Row(
            stats=one,
            share=one.requests / total,
            name=class_of(one.status, one.outcome),
            ending="" if one.outcome == "completed" else OUTCOMES[one.outcome],
            link=scope.requests_link(status=str(one.status), outcome=one.outcome),
        )
        for one in scope.statuses
    ]


def table(scope: Scope) -> Table:
    return Table(
        ("status", "outcome", "requests", "p50_ms", "p95_ms", "p99_ms"),
        (
            (
                *(one.status, one.outcome, one.requests),
                *map(milliseconds, (one.p50_us, one.p95_us, one.p99_us)),
            )
            for one in scope.statuses
        ),
    )


PANEL: Final = Panel("statuses", show, table=table)
