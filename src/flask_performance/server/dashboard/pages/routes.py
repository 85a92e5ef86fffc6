"""All routes that the app declares, and which of them nobody calls."""

from typing import Final

from flask import Blueprint, redirect
from flask_security import auth_required
from werkzeug.wrappers import Response

from flask_performance.server.store.base import EventStore

from .. import access
from ..panels import ledger, routes
from ..panels.base import Panel
from ..scope import ROUTES_PAGE, Scope
from .dashboard_frame import dashboard, state

#: In the order of the page.
PANELS: Final[tuple[Panel[Scope], ...]] = (ledger.PANEL, routes.PANEL)


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the route to the dashboard's blueprint."""

    @blueprint.get(f"/projects/<public_id>{ROUTES_PAGE}")
    @auth_required("session")
    def project_routes(public_id: str) -> str | Response:
        scope = Scope(store, access.project(public_id), state(), page=ROUTES_PAGE)
        if not scope.seen:
            return redirect(scope.project.path)
        return dashboard("routes.html", scope, "routes", PANELS)
