"""All routes that the app declares: who is called, who is not in this time, who never was."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.declared import CALLED, Called, Route

from ..downloads import Table
from ..formats import element_id, instant_us
from ..scope import Scope
from ..state import NO_FILTER
from . import sorting
from .base import Panel
from .operations import PAGE, pieces

COLUMNS: Final = (
    ("route", "Route", False),
    ("endpoint", "Endpoint", False),
    ("requests", "Requests", True),
    ("called", "Last called", True),
)
DEFAULT_SORT: Final = "route"
#: What each is called on the page.
WORDS: Final[Mapping[Called, str]] = {
    "called": "called",
    "quiet": "not in this time",
    "never": "never called",
}


@dataclass(frozen=True)
class Row:
    id: str
    route: Route
    pieces: list[tuple[str, bool]]
    link: str

    @property
    def words(self) -> str:
        return WORDS[self.route.called]


def show(scope: Scope) -> Mapping[str, Any]:
    state = scope.state
    sort = sorting.own_sort(COLUMNS, state.sort, DEFAULT_SORT)
    searched = fitting(scope.declared_routes, state.search)
    found = sorted_routes(
        [route for route in searched if state.called in (None, route.called)], sort
    )
    first = (state.page - 1) * PAGE
    shown = found[first : first + PAGE]
    counts = Counter(route.called for route in searched)
    return {
        "columns": sorting.columns(COLUMNS, sort),
        "rows": [_row(scope, route) for route in shown],
        "choices": [(None, "all", len(searched))] + [(c, WORDS[c], counts[c]) for c in CALLED],
        "every": len(scope.declared_routes),
        "total": len(found),
        "first": first,
        "last": first + len(shown),
        "declares": any(route.declared for route in scope.declared_routes),
        "no_filter": NO_FILTER,
    }


def table(scope: Scope) -> Table:
    """All that search and choice leave, in the order of the page."""
    state = scope.state
    sort = sorting.own_sort(COLUMNS, state.sort, DEFAULT_SORT)
    found = sorted_routes(fitting(scope.declared_routes, state.search), sort)
    return Table(
        (
            *("method", "route", "endpoint", "declared", "environments", "apps", "release"),
            *("first_declared", "last_declared", "called", "last_called", "requests"),
        ),
        (
            (
                *(one.method, one.route, one.endpoint, one.declared),
                *(" ".join(one.environments), " ".join(one.apps), one.release),
                *(us and instant_us(us) for us in (one.first_us, one.last_us)),
                *(one.called, one.called_us and instant_us(one.called_us), one.requests),
            )
            for one in found
            if state.called in (None, one.called)
        ),
    )


def fitting(routes: list[Route], search: str | None) -> list[Route]:
    """Those that have every word of a search in method, route or endpoint."""
    words = (search or "").casefold().split()
    return [
        one
        for one in routes
        if all(word in f"{one.method} {one.route} {one.endpoint}".casefold() for word in words)
    ]


#: What a column is sorted by.
KEYS: Final[Mapping[str, Callable[[Route], Any]]] = {
    "route": lambda one: (one.route, one.method),
    "endpoint": lambda one: one.endpoint or "",
    "requests": lambda one: one.requests,
    "called": lambda one: one.called_us or 0,
}


def sorted_routes(routes: list[Route], sort: str) -> list[Route]:
    """In the order of `sort`; equal ones by rule."""
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    return sorted(sorted(routes, key=KEYS["route"]), key=KEYS[name], reverse=falling)


def _row(scope: Scope, route: Route) -> Row:
    link = (
        scope.operation_link(route.method, route.route)
        if route.method
        else scope.requests_link(route=route.route)
    )
    return Row(element_id("route", route.method, route.route), route, pieces(route.route), link)


PANEL: Final = Panel("routes", show, table=table)
