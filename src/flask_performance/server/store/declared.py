"""The routes of a project: those that its apps declare and those that are called, put together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec

from .base import EventStore, Filter
from .processes import DeclaredRoute

#: In this time; not in it, but before; never, as far as anything is kept.
Called = Literal["called", "quiet", "never"]
CALLED: Final[tuple[Called, ...]] = get_args(Called)
#: Flask's own route for an app's files, and a blueprint's.
STATIC: Final = "static"

#: Methods that Flask answers by itself where a route has others.
AUTOMATIC: Final = ("HEAD", "OPTIONS")

Key = tuple[str, str]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route for one method."""

    method: str  # empty: whatever the method
    route: str
    endpoint: str | None
    #: The environments and apps whose newest declaration has it; none: it is declared no more, or
    #: never was (a client that does not declare).
    environments: tuple[str, ...]
    apps: tuple[str, ...]
    release: str | None  # of the process that declared it last
    first_us: int | None  # when it was declared first and last; None: never
    last_us: int | None
    called_us: int | None  # when it was called last, in any environment; None: never
    requests: int  # in the window

    @property
    def declared(self) -> bool:
        return bool(self.environments)

    @property
    def called(self) -> Called:
        if self.requests:
            return "called"
        return "quiet" if self.called_us is not None else "never"

    @property
    def static(self) -> bool:
        """Whether it hands out an app's or a blueprint's files."""
        return (self.endpoint or "").rpartition(".")[2] == STATIC


def routes(store: EventStore, filter: Filter) -> list[Route]:
    """All routes that are declared, and those called in the window that are not; by rule. Of the
    filter's conditions `environment` applies to what is declared, all of them to the requests."""
    operations = [one for one in store.operations(filter) if one.route]
    counts = {(one.method, one.route): one.requests for one in operations}
    endpoints = {(one.method, one.route): one.endpoint for one in operations}
    called_us = store.last_called(filter.project_id)
    found = joined(_of(store.declared(filter.project_id), filter.environment), counts, called_us)
    return sorted([*found, *_undeclared(found, counts, called_us, endpoints)], key=_by_name)


def _of(declared: Iterable[DeclaredRoute], environment: str | None) -> list[DeclaredRoute]:
    return [one for one in declared if environment in (None, one.environment)]


def joined(
    declared: Iterable[DeclaredRoute], counts: Mapping[Key, int], called_us: Mapping[Key, int]
) -> list[Route]:
    """The declared routes, each once for a method, with who calls them."""
    declared = list(declared)
    newest: defaultdict[tuple[str, str | None], int] = defaultdict(int)
    for one in declared:
        newest[one.app, one.environment] = max(newest[one.app, one.environment], one.last_us)
    groups: defaultdict[Key, list[DeclaredRoute]] = defaultdict(list)
    for one in declared:
        groups[one.method, one.route].append(one)
    return [_joined(key, group, newest, counts, called_us) for key, group in groups.items()]


def _joined(
    key: Key,
    group: list[DeclaredRoute],
    newest: Mapping[tuple[str, str | None], int],
    counts: Mapping[Key, int],
    called_us: Mapping[Key, int],
) -> Route:
    method, route = key
    current = [one for one in group if one.last_us == newest[one.app, one.environment]]
    last = max(current or group, key=lambda one: one.last_us)
    return Route(
        method=method,
        route=route,
        endpoint=last.endpoint,
        environments=tuple(sorted({one.environment or "" for one in current})),
        apps=tuple(sorted({one.app for one in current})),
        release=last.release,
        first_us=min(one.first_us for one in group),
        last_us=last.last_us,
        called_us=max(_matching(key, called_us), default=None),
        requests=sum(_matching(key, counts)),
    )


def _matching(key: Key, values: Mapping[Key, int]) -> list[int]:
    """The values of a route's method; of all its methods, where it takes every one."""
    method, route = key
    if method:
        return [values[key]] if key in values else []
    return [value for (_, name), value in values.items() if name == route]


def _undeclared(
    found: Iterable[Route],
    counts: Mapping[Key, int],
    called_us: Mapping[Key, int],
    endpoints: Mapping[Key, str | None],
) -> list[Route]:
    """Routes that were called though no app declares them (any more). HEAD and OPTIONS of a route
    that is declared are Flask's own doing."""
    known = {(one.method, one.route) for one in found}
    known |= {(method, one.route) for one in found for method in AUTOMATIC}
    return [
        Route(
            method=method, route=route, endpoint=endpoints[method, route], environments=(), apps=(),
            release=None, first_us=None, last_us=None, called_us=called_us.get((method, route)),
            requests=requests,
        )
        for (method, route), requests in counts.items()
        if (method, route) not in known and ("", route) not in known
    ]  # fmt: skip


def _by_name(one: Route) -> Key:
    return one.route, one.method
