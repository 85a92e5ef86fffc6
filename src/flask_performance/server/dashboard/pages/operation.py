"""One operation: everything the overview says, of it alone, and where its time goes."""

from typing import Final

from flask import Blueprint, redirect
from flask_security import auth_required
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from flask_performance.server.store.base import EventStore

from .. import access
from ..panels import (
    apdex,
    comparison,
    consumers,
    costs,
    distribution,
    errors,
    extremes,
    headline,
    heatmap,
    latency,
    ledger,
    statuses,
    throughput,
)
from ..panels.base import Panel
from ..panels.operations import pieces
from ..scope import OPERATION_PAGE, Scope
from .dashboard_frame import dashboard, state

#: In the order of the page.
PANELS: Final[tuple[Panel[Scope], ...]] = (
    ledger.PANEL,
    headline.PANEL,
    comparison.PANEL,
    throughput.PANEL,
    latency.PANEL,
    errors.PANEL,
    apdex.PANEL,
    heatmap.PANEL,
    distribution.PANEL,
    statuses.PANEL,
    costs.PANEL,
    consumers.PANEL,
    extremes.PANEL,
)


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the route to the dashboard's blueprint."""

    @blueprint.get(f"/projects/<public_id>{OPERATION_PAGE}")
    @auth_required("session")
    def project_operation(public_id: str) -> str | Response:
        scope = Scope(store, access.project(public_id), state(), page=OPERATION_PAGE)
        if scope.state.method is None or scope.state.route is None:
            raise BadRequest("An operation is a method and a route; the address needs both.")
        if not scope.seen:
            return redirect(scope.project.path)
        route = pieces(scope.state.route)
        choice = comparison.choice(scope)
        return dashboard("operation.html", scope, "operation", PANELS, route=route, choice=choice)
