"""What the panels show as files: one route for the CSV and the JSON of all of them."""

from typing import Final

from flask import Blueprint, Response, abort
from flask_security import auth_required

from flask_performance.server.store.base import EventStore

from .. import access
from ..downloads import download, file_name
from ..panels.base import Panel
from ..scope import FILES, Scope
from . import instances, operation, project, requests, routes, unmatched
from .dashboard_frame import state

#: Every panel that has a table, by its name.
TABLES: Final[dict[str, Panel[Scope]]] = {
    panel.name: panel
    for page in (project, operation, requests, unmatched, instances, routes)
    for panel in page.PANELS
    if panel.table is not None
}


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the route to the dashboard's blueprint."""

    @blueprint.get(f"/projects/<public_id>{FILES}/<name>.<any(csv, json):kind>")
    @auth_required("session")
    def project_file(public_id: str, name: str, kind: str) -> Response:
        scope = Scope(store, access.project(public_id), state())
        panel = TABLES.get(name)
        if panel is None or panel.table is None:
            abort(404)
        return download(kind, panel.table(scope), file_name(scope.project.name, name, scope.window))
