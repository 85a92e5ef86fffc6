"""Single requests: the explorer with its live tail and its files, and one request in full."""

from typing import Any, Final

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from flask_security import auth_required
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response as AnyResponse

from flask_performance.server.store.base import EventStore, UnknownCursorError

from .. import access, one_request
from ..chips import OUTCOMES
from ..downloads import download, file_name, requests_table
from ..panels import explorer, heatmap, ledger, throughput
from ..panels.base import Panel
from ..scope import REQUESTS_PAGE, Scope
from ..state import State
from .dashboard_frame import dashboard, state
from .project_frame import frame

#: In the order of the page.
PANELS: Final[tuple[Panel[Scope], ...]] = (
    ledger.PANEL,
    throughput.PANEL,
    heatmap.PANEL,
    explorer.PANEL,
)
#: The newest id that fits the store's column.
LARGEST_ID: Final = 2**63 - 1


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get(f"/projects/<public_id>{REQUESTS_PAGE}")
    @auth_required("session")
    def project_requests(public_id: str) -> str | AnyResponse:
        scope = Scope(store, access.project(public_id), state(), page=REQUESTS_PAGE)
        if not scope.seen:
            return redirect(url_for("dashboard.project", public_id=public_id))
        try:
            return dashboard("requests.html", scope, "requests", PANELS)
        except UnknownCursorError as error:
            raise BadRequest(
                "The place to go on from is none of this project's; leave out “before”."
            ) from error

    @blueprint.get(f"/projects/<public_id>{REQUESTS_PAGE}.<any(csv, json):kind>")
    @auth_required("session")
    def project_download(public_id: str, kind: str) -> Response:
        scope = Scope(store, access.project(public_id), state(), page=REQUESTS_PAGE)
        name = file_name(scope.project.name, "requests", scope.window)
        return download(kind, requests_table(store, scope.filter), name)

    @blueprint.get(f"/projects/<public_id>{REQUESTS_PAGE}/<int:id>")
    @auth_required("session")
    def project_request(public_id: str, id: int) -> str:
        scope = Scope(store, access.project(public_id), State(), page=REQUESTS_PAGE)
        return render_template("request.html", **frame(scope, "requests"), **one(scope, id))


def one(scope: Scope, id: int) -> dict[str, Any]:
    """All of one request; 404 where it is not kept (any more)."""
    row = scope.store.request(scope.project.id, id) if id <= LARGEST_ID else None
    if row is None:
        abort(404)
    return {
        "row": row,
        "measures": one_request.measures(row),
        "facts": one_request.facts(row),
        "phases": one_request.phases(row),
        "standing": one_request.standing(scope.store, scope.project.id, row),
        "status_name": one_request.status_name(row),
        "outcome": OUTCOMES[row.outcome],
        "links": one_request.links(scope, row),
        "operation_link": scope.operation_link(row.method, row.route),
    }
