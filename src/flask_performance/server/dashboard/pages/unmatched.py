"""What was asked for in vain."""

from typing import Final

from flask import Blueprint, redirect
from flask_security import auth_required
from werkzeug.wrappers import Response

from flask_performance.server.store.base import EventStore

from .. import access
from ..panels import ledger, unmatched
from ..panels.base import Panel
from ..scope import UNMATCHED_PAGE, Scope
from .dashboard_frame import dashboard, state

#: In the order of the page.
PANELS: Final[tuple[Panel[Scope], ...]] = (ledger.PANEL, unmatched.PANEL)


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the route to the dashboard's blueprint."""

    @blueprint.get(f"/projects/<public_id>{UNMATCHED_PAGE}")
    @auth_required("session")
    def project_unmatched(public_id: str) -> str | Response:
        scope = Scope(store, access.project(public_id), state(), page=UNMATCHED_PAGE)
        if not scope.seen:
            return redirect(scope.project.path)
        return dashboard("unmatched.html", scope, "unmatched", PANELS)
