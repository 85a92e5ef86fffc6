"""A project's first pages: the live overview, and the set-up that it starts with."""

from typing import Final

from flask import Blueprint, current_app, render_template
from flask_security import auth_required
from werkzeug.wrappers import Response

from flask_performance.server.accounts.permissions import Action
from flask_performance.server.store.base import EventStore

from .. import access
from ..panels import (
    apdex,
    errors,
    headline,
    heatmap,
    latency,
    ledger,
    operations,
    quota,
    refusals,
    requests,
    throughput,
)
from ..panels.base import Panel
from ..render import page_panels
from ..scope import Project, Scope
from ..snippets import snippets, test_command
from ..state import State
from .dashboard_frame import dashboard, state
from .project_frame import frame

#: In the order of the page.
PANELS: Final[tuple[Panel[Scope], ...]] = (
    ledger.PANEL,
    quota.PANEL,
    headline.PANEL,
    throughput.PANEL,
    latency.PANEL,
    errors.PANEL,
    apdex.PANEL,
    heatmap.PANEL,
    operations.PANEL,
    requests.PANEL,
)
#: Those of the set-up page, which is there before the first request.
SETUP_PANELS: Final[tuple[Panel[Scope], ...]] = (refusals.PANEL,)


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/projects/<public_id>")
    @auth_required("session")
    def project(public_id: str) -> str | Response:
        shown = access.project(public_id)
        scope = Scope(store, shown, state())
        if not scope.seen:
            return setup(scope)
        return dashboard("overview.html", scope, "overview", PANELS)

    @blueprint.get("/projects/<public_id>/setup")
    @auth_required("session")
    def project_setup(public_id: str) -> str:
        found = access.project_to(Action.SEE_DSN, public_id)
        return setup(Scope(store, access.shown(found), State()))


def setup(scope: Scope) -> str:
    """How to send the first request; waits for it if none has come."""
    project: Project = scope.project
    return render_template(
        "setup.html",
        **frame(scope, "setup"),
        panels=page_panels(current_app, SETUP_PANELS, scope),
        snippets=snippets(project.dsn) if project.dsn else [],
        test_command=test_command(project.dsn) if project.dsn else None,
    )
