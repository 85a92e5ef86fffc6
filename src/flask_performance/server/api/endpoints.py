"""The endpoints: a function each, and one table of all that routes and OpenAPI are made from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from flask_performance.server import hints
from flask_performance.server.accounts import models, names, projects
from flask_performance.server.accounts.permissions import Action, Scope, scope_of
from flask_performance.server.accounts.tokens import Access
from flask_performance.server.store import declared, living
from flask_performance.server.store.base import (
    SECOND_US,
    EventStore,
    Filter,
    Thresholds,
    UnknownCursorError,
)
from flask_performance.server.store.watched import watched_seconds

from . import shapes, shown
from .errors import Refusal, bad_parameter, too_weak
from .parameters import (
    DEFAULT_LIMIT,
    FILTERS,
    MAX_LIMIT,
    PAGE,
    STEP,
    WINDOW,
    Parameter,
    Values,
    filter_of,
    step_of,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One authorised request, decoded."""

    store: EventStore
    access: Access
    values: Values
    #: Set where the path names a project: one that the user may see.
    project: models.Project | None = None
    body: Any = None

    @property
    def filter(self) -> Filter:
        return filter_of(_project(self).id, self.values)

    @property
    def thresholds(self) -> Thresholds:
        """The project's Apdex thresholds."""
        assert self.project is not None  # noqa: S101 - the path names one
        own = ((one.method, one.route, one.apdex_us) for one in self.project.operations)
        return Thresholds(self.project.apdex_us, tuple(own))

    @property
    def limit(self) -> int:
        return int(self.values.get("limit", DEFAULT_LIMIT))

    @property
    def cursor(self) -> str | None:
        return self.values.get("cursor")


def list_teams(call: Call) -> shapes.ListOf[shapes.Team]:
    access = call.access
    return _page([shown.team(team, access.role_in(team)) for team in access.teams()], call)


def list_projects(call: Call) -> shapes.ListOf[shapes.Project]:
    return _page([_shown(project, call.access) for project in call.access.projects()], call)


def create_project(call: Call) -> shapes.Project:
    new: shapes.NewProject = call.body
    try:
        made = projects.create_project(_team(call.access, new.team), new.name)
    except names.RefusedError as error:
        raise Refusal(400, "refused", str(error)) from error
    return _shown(made, call.access)


def _team(access: Access, public_id: str | None) -> models.Team:
    if public_id is None:
        return access.default_team()
    team = access.team_for(public_id)
    if team is None:
        raise Refusal(
            400,
            "unknown_team",
            "team is not the id of a team of yours; GET /api/v1/teams has them.",
        )
    if not access.may(team, Action.CREATE_PROJECT):
        raise too_weak(Action.CREATE_PROJECT)
    return team


def get_project(call: Call) -> shapes.Project:
    return _shown(_project(call), call.access)


def _shown(project: models.Project, access: Access) -> shapes.Project:
    return shown.project(project, dsn=access.may(project.team, Action.SEE_DSN))


def list_keys(call: Call) -> shapes.ListOf[shapes.Key]:
    return _page([shown.key(key) for key in reversed(_project(call).keys)], call)


def _project(call: Call) -> models.Project:
    assert call.project is not None  # noqa: S101 - the path names one
    return call.project


def get_summary(call: Call) -> shapes.Summary:
    filter = call.filter
    seconds = watched_seconds(call.store, filter)
    return shown.summary(call.store.summary(filter, call.thresholds), filter, seconds)


def list_operations(call: Call) -> shapes.ListOf[shapes.Operation]:
    filter = call.filter
    seconds = watched_seconds(call.store, filter)
    return _page(shown.operations(call.store.operations(filter, call.thresholds), seconds), call)


def get_series(call: Call) -> shapes.Series:
    filter = call.filter
    step = step_of(filter, call.values)
    points = call.store.series(filter, step * SECOND_US, call.thresholds)
    return shapes.Series([shown.step(point, filter, step) for point in points], None, step)


def list_releases(call: Call) -> shapes.ListOf[shapes.Release]:
    found = call.store.first_heard(call.filter, MAX_LIMIT)
    return _page([shown.release(one) for one in found], call)


def list_requests(call: Call) -> shapes.ListOf[shapes.Request]:
    try:
        page = call.store.requests(call.filter, call.limit, call.cursor)
    except UnknownCursorError as error:
        raise _unknown_cursor() from error
    return shapes.ListOf([shown.request(row) for row in page.rows], page.next)


def list_unmatched(call: Call) -> shapes.ListOf[shapes.Unmatched]:
    filter = call.filter
    everything = msgspec.structs.replace(filter, method=None, route=None, status=None)
    called = call.store.operations(everything)
    declared = call.store.declared(filter.project_id)
    routes = hints.routes_of(
        [(one.method, one.route, one.requests) for one in called]
        + [(one.method, one.route, 0) for one in declared]
    )
    return _page(shown.unmatched(call.store.unmatched(filter, MAX_LIMIT), routes), call)


def get_ledger(call: Call) -> shapes.Ledger:
    return shown.ledger(call.store.ledger(call.filter))


def list_instances(call: Call) -> shapes.ListOf[shapes.Instance]:
    filter = call.filter
    rows = call.store.instances(filter, living.MOST)
    waits = living.waits(call.store, filter)
    items = [
        shown.instance(row, state, waits.get(row.instance), filter)
        for row, state in zip(rows, living.states(rows, filter.end_us), strict=True)
    ]
    return _page(items, call)


def list_routes(call: Call) -> shapes.ListOf[shapes.Route]:
    return _page([shown.route(one) for one in declared.routes(call.store, call.filter)], call)


def _page(items: Sequence[T], call: Call) -> shapes.ListOf[T]:
    """A list that is whole in memory, by the page; its cursor is the place to go on from."""
    cursor = "0" if call.cursor is None else call.cursor
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise _unknown_cursor()
    first, last = int(cursor), int(cursor) + call.limit
    return shapes.ListOf(list(items[first:last]), str(last) if last < len(items) else None)


def _unknown_cursor() -> Refusal:
    return bad_parameter(
        "cursor", "is not one that this server handed out; leave it out to begin again."
    )


@dataclass(frozen=True)
class Endpoint:
    """One row of the table. A path with `{id}` answers only to members of that project's team."""

    method: str
    path: str
    function: Callable[[Call], Any]
    words: str
    answer: Any
    parameters: tuple[Parameter, ...] = ()
    body: type | None = None
    status: int = 200
    #: What it is, in the table of permissions: which role in the team and which scope it asks for.
    action: Action = Action.SEE_DATA

    @property
    def scope(self) -> Scope:
        return scope_of(self.action)


ENDPOINTS = (
    Endpoint("GET", "/teams", list_teams, "Your teams.", shapes.ListOf[shapes.Team], PAGE),
    Endpoint(
        *("GET", "/projects", list_projects, "The projects of your teams."),
        shapes.ListOf[shapes.Project],
        PAGE,
    ),
    Endpoint(
        *("POST", "/projects", create_project, "Create a project, with a DSN."),
        shapes.Project,
        body=shapes.NewProject,
        status=201,
        action=Action.CREATE_PROJECT,
    ),
    Endpoint("GET", "/projects/{id}", get_project, "One project.", shapes.Project),
    Endpoint(
        *("GET", "/projects/{id}/keys", list_keys, "The keys of a project's DSNs, newest first."),
        shapes.ListOf[shapes.Key],
        PAGE,
        action=Action.MANAGE_KEYS,
    ),
    Endpoint(
        *("GET", "/projects/{id}/summary", get_summary, "The requests in a few numbers."),
        shapes.Summary,
        WINDOW + FILTERS,
    ),
    Endpoint(
        *("GET", "/projects/{id}/operations", list_operations, "Operations, most time first."),
        shapes.ListOf[shapes.Operation],
        WINDOW + FILTERS + PAGE,
    ),
    Endpoint(
        *("GET", "/projects/{id}/series", get_series, "The requests over time."),
        shapes.Series,
        WINDOW + FILTERS + STEP,
    ),
    Endpoint(
        "GET",
        "/projects/{id}/releases",
        list_releases,
        "The releases that were heard for the first time in the window, the newest first, at most "
        "1000. Of the filters only `environment` applies.",
        shapes.ListOf[shapes.Release],
        WINDOW + FILTERS + PAGE,
    ),
    Endpoint(
        *("GET", "/projects/{id}/requests", list_requests, "Single requests, newest first."),
        shapes.ListOf[shapes.Request],
        WINDOW + FILTERS + PAGE,
    ),
    Endpoint(
        *("GET", "/projects/{id}/unmatched", list_unmatched),
        "The paths that were asked for in vain (no route matched, 405 or 308), the most frequent "
        "first, at most 1000.",
        shapes.ListOf[shapes.Unmatched],
        WINDOW + FILTERS + PAGE,
    ),
    Endpoint(
        "GET",
        "/projects/{id}/ledger",
        get_ledger,
        "What the app saw, and what became of it. Of the filters only `environment` applies: "
        "clients count all they see.",
        shapes.Ledger,
        WINDOW + FILTERS,
    ),
    Endpoint(
        "GET",
        "/projects/{id}/instances",
        list_instances,
        "The app's processes, those heard last first. Of the filters only `environment` applies.",
        shapes.ListOf[shapes.Instance],
        WINDOW + FILTERS + PAGE,
    ),
    Endpoint(
        "GET",
        "/projects/{id}/routes",
        list_routes,
        "The routes that the app declares or that were called, by rule. `environment` applies to "
        "what is declared, all filters to the requests.",
        shapes.ListOf[shapes.Route],
        WINDOW + FILTERS + PAGE,
    ),
)
