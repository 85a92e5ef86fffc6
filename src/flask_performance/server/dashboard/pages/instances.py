"""The processes of the app, whether there are enough of them, and what watching them costs."""

from typing import Final

from flask import Blueprint, redirect
from flask_security import auth_required
from werkzeug.wrappers import Response

from flask_performance.server.store.base import EventStore

from .. import access
from ..panels import instances, ledger, monitoring, saturation
from ..panels.base import Panel
from ..scope import INSTANCES_PAGE, Scope
from .dashboard_frame import dashboard, state

#: In the order of the page.
PANELS: Final[tuple[Panel[Scope], ...]] = (
    ledger.PANEL,
    saturation.PANEL,
    instances.PANEL,
    monitoring.PANEL,
)


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the route to the dashboard's blueprint."""

    @blueprint.get(f"/projects/<public_id>{INSTANCES_PAGE}")
    @auth_required("session")
    def project_instances(public_id: str) -> str | Response:
        scope = Scope(store, access.project(public_id), state(), page=INSTANCES_PAGE)
        if not scope.seen:
            return redirect(scope.project.path)
        return dashboard("instances.html", scope, "instances", PANELS)
