"""The table of operations: which are slow, failing or busy, and whose share of time is large."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import OperationStats, Thresholds

from ..formats import apdex as apdex_value
from ..formats import duration_unit, element_id, rate_unit, threshold
from ..scope import RATED_AFTER, Scope
from ..state import NO_FILTER, State
from .base import Panel

#: So many rows are shown until a person asks for all.
FIRST_ROWS: Final = 50

#: Name in the URL, header, whether its first click sorts downwards.
COLUMNS: Final = (
    ("operation", "Operation", False),
    ("share", "Share of total time", True),
    ("requests", "Requests", True),
    ("rate", "Rate", True),
    ("p50", "p50", True),
    ("p95", "p95", True),
    ("p99", "p99", True),
    ("errors", "Errors", True),
    ("apdex", "Apdex", False),
)


@dataclass(frozen=True)
class Column:
    """A header: where its click leads, and how the table is sorted by it now."""

    name: str
    label: str
    unit: str
    sort: str  # the state's sort after a click
    direction: str | None  # "ascending", "descending" or None


@dataclass(frozen=True)
class Row:
    """An operation with what only the whole table can say about it."""

    id: str
    stats: OperationStats
    share: float
    rate: float
    error_rate: float
    #: The route in pieces: text, and whether it is a parameter.
    route: list[tuple[str, bool]]


def show(scope: Scope) -> Mapping[str, Any]:
    found = sorted_rows(
        rows(scope.operations, scope.whole.duration_us, scope.watched_seconds), scope.state.sort
    )
    rates = rate_unit(row.rate for row in found)
    unit = duration_unit(row.stats.p95_us for row in found)
    shown = found if scope.state.all else found[:FIRST_ROWS]
    return {
        "columns": columns(scope.state, unit.symbol, rates.symbol),
        "rows": shown,
        "unit": unit,
        "rates": rates,
        "rated": scope.watched_seconds >= RATED_AFTER,
        "total": len(found),
        "hidden": len(found) - len(shown),
        "no_filter": NO_FILTER,
        "scope": scope,
        "thresholds": thresholds(scope.project.thresholds),
        "apdex": apdex_value,
    }


def thresholds(given: Thresholds | None) -> Callable[[OperationStats], str]:
    """What is said of an operation's threshold."""
    own = {(method, route): us for method, route, us in given.own} if given else {}

    def words(stats: OperationStats) -> str:
        us = own.get((stats.method, stats.route))
        if us is not None:
            return f"Satisfied up to {threshold(us)} ms, this operation's own"
        return f"Satisfied up to {threshold(given.us)} ms" if given else ""

    return words


def rows(operations: list[OperationStats], total_us: int, seconds: float) -> list[Row]:
    """The rows of operations, each with its share of a total time."""
    return [
        Row(
            id=element_id("operation", stats.method, stats.route, stats.endpoint or ""),
            stats=stats,
            share=stats.duration_us / total_us if total_us else 0.0,
            rate=stats.requests / seconds,
            error_rate=stats.errors / stats.requests if stats.requests else 0.0,
            route=pieces(stats.route),
        )
        for stats in operations
    ]


def sorted_rows(found: list[Row], sort: str) -> list[Row]:
    """Rows in the order that a state's `sort` asks for; equal ones keep the order by name."""
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    by_name = sorted(found, key=_by_name)
    key = {"operation": _by_name, "share": lambda row: row.share, "rate": lambda row: row.rate}.get(
        name, lambda row: _measure(row, name)
    )
    return sorted(by_name, key=key, reverse=falling)


def columns(state: State, unit: str, rate: str = "/s") -> list[Column]:
    """The headers: a click sorts by that column, a second one turns the order round.

    `unit` and `rate` are the symbols of durations and rates.
    """
    found = []
    units = {"rate": rate, "share": "%", "p50": unit, "p95": unit, "p99": unit}
    for name, label, falls_first in COLUMNS:
        falling = state.sort.startswith("-")
        current = state.sort.removeprefix("-") == name
        falls_next = not falling if current else falls_first
        found.append(
            Column(
                name=name,
                label=label,
                unit=units.get(name, ""),
                sort=("-" if falls_next else "") + name,
                direction=("descending" if falling else "ascending") if current else None,
            )
        )
    return found


def pieces(route: str) -> list[tuple[str, bool]]:
    """A route cut at its parameters: "/users/<int:id>" is "/users/" and "<int:id>"."""
    found: list[tuple[str, bool]] = []
    rest = route
    while rest:
        text, opening, tail = rest.partition("<")
        if text:
            found.append((text, False))
        if not opening:
            break
        inside, closing, rest = tail.partition(">")
        found.append((opening + inside + closing, bool(closing)))
    return found


def _by_name(row: Row) -> tuple[str, str]:
    return row.stats.route, row.stats.method


def _measure(row: Row, name: str) -> float:
    value = getattr(row.stats, name if name in {"requests", "errors", "apdex"} else f"{name}_us")
    return -1.0 if value is None else value


PANEL: Final = Panel("operations", show)
