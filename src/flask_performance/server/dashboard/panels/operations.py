"""The table of operations: which are slow, failing or busy, and whose share of time is large."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import OperationStats, Thresholds

from ..downloads import Table, milliseconds
from ..formats import apdex as apdex_value
from ..formats import duration_unit, element_id, rate_unit, threshold
from ..scope import RATED_AFTER, Scope
from ..sparks import spark
from ..state import DEFAULT_SORT, NO_FILTER, State
from . import sorting
from .base import Panel
from .sorting import Column, own_sort

#: So many rows are shown until a person asks for all.
FIRST_ROWS: Final = 50
#: All of them come in pages of so many: a live page is sent anew every second.
PAGE: Final = 200
SPARK_WIDTH: Final = 72
SPARK_HEIGHT: Final = 18

COLUMNS: Final = (
    ("operation", "Operation", False),
    ("share", "Share of time", True),
    ("requests", "Requests", True),
    ("rate", "Rate", True),
    ("p50", "p50", True),
    ("p95", "p95", True),
    ("p99", "p99", True),
    ("errors", "Errors", True),
    ("apdex", "Apdex", False),
)
#: What a column is sorted by, where that is no percentile: a rate is in the order of its count.
MEASURES: Final = {
    "share": "duration_us",
    "requests": "requests",
    "rate": "requests",
    "errors": "errors",
    "apdex": "apdex",
}


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
    #: Its requests over time, as an SVG path.
    spark: str


def show(scope: Scope) -> Mapping[str, Any]:
    state = scope.state
    found = sorted_stats(fitting(scope.operations, state.search), state.sort)
    rate_of = scope.watched_seconds
    rates = rate_unit(one.requests / rate_of for one in found)
    unit = duration_unit(one.p95_us for one in found)
    first = (state.page - 1) * PAGE if state.all else 0
    shown = found[first : first + (PAGE if state.all else FIRST_ROWS)]
    return {
        "columns": columns(state, unit.symbol, rates.symbol),
        "rows": rows(shown, scope.whole.duration_us, rate_of, scope.trends(shown)),
        "unit": unit,
        "rates": rates,
        "rated": rate_of >= RATED_AFTER,
        "every": len(scope.operations),
        "total": len(found),
        "first": first,
        "last": first + len(shown),
        "page_size": PAGE,
        "no_filter": NO_FILTER,
        "thresholds": thresholds(scope.project.thresholds),
        "apdex": apdex_value,
        "width": SPARK_WIDTH,
        "height": SPARK_HEIGHT,
    }


def table(scope: Scope) -> Table:
    """All that the search leaves, in the order of the page."""
    found = sorted_stats(fitting(scope.operations, scope.state.search), scope.state.sort)
    total_us, seconds = scope.whole.duration_us, scope.watched_seconds
    return Table(
        (
            *("method", "route", "endpoint", "share", "requests", "per_second"),
            *("p50_ms", "p95_ms", "p99_ms", "errors", "apdex"),
        ),
        (
            (
                *(one.method, one.route, one.endpoint),
                one.duration_us / total_us if total_us else 0.0,
                *(one.requests, one.requests / seconds),
                *map(milliseconds, (one.p50_us, one.p95_us, one.p99_us)),
                *(one.errors, one.apdex),
            )
            for one in found
        ),
    )


def fitting(operations: list[OperationStats], search: str | None) -> list[OperationStats]:
    """Those that have every word of a search in method, route or endpoint."""
    words = (search or "").casefold().split()
    if not words:
        return operations
    return [
        one
        for one in operations
        if all(word in f"{one.method} {one.route} {one.endpoint}".casefold() for word in words)
    ]


def thresholds(given: Thresholds | None) -> Callable[[OperationStats], str]:
    """What is said of an operation's threshold."""
    own = {(method, route): us for method, route, us in given.own} if given else {}

    def words(stats: OperationStats) -> str:
        us = own.get((stats.method, stats.route))
        if us is not None:
            return f"Satisfied up to {threshold(us)} ms, this operation's own"
        return f"Satisfied up to {threshold(given.us)} ms" if given else ""

    return words


def rows(
    operations: list[OperationStats],
    total_us: int,
    seconds: float,
    trends: Mapping[tuple[str, str], list[int]],
) -> list[Row]:
    """The rows of operations, each with its share of a total time."""
    return [
        Row(
            id=element_id("operation", stats.method, stats.route, stats.endpoint or ""),
            stats=stats,
            share=stats.duration_us / total_us if total_us else 0.0,
            rate=stats.requests / seconds,
            error_rate=stats.errors / stats.requests if stats.requests else 0.0,
            route=pieces(stats.route),
            spark=spark(trends.get((stats.method, stats.route), ()), SPARK_WIDTH, SPARK_HEIGHT),
        )
        for stats in operations
    ]


def sorted_stats(found: list[OperationStats], sort: str) -> list[OperationStats]:
    """In the order that a state's `sort` asks for; equal ones keep the order by name."""
    sort = own_sort(COLUMNS, sort, DEFAULT_SORT)
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    by_name = sorted(found, key=_by_name)
    if name == "operation":
        return by_name[::-1] if falling else by_name
    column = MEASURES.get(name, f"{name}_us")

    def measure(one: OperationStats) -> float:
        value = getattr(one, column)
        return -1.0 if value is None else value

    return sorted(by_name, key=measure, reverse=falling)


def columns(state: State, unit: str, rate: str = "/s") -> list[Column]:
    """The headers. `unit` and `rate` are the symbols of durations and rates."""
    units = {"rate": rate, "share": "%", "p50": unit, "p95": unit, "p99": unit}
    return sorting.columns(COLUMNS, own_sort(COLUMNS, state.sort, DEFAULT_SORT), units)


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


def _by_name(one: OperationStats) -> tuple[str, str]:
    return one.route, one.method


PANEL: Final = Panel("operations", show, table=table)
