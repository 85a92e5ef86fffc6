"""What pages that show a time share: the state in the URL, the panels, what is around them."""

from collections.abc import Iterable
from typing import Any

from flask import current_app, make_response, render_template, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from ..chips import OUTCOMES
from ..formats import instant
from ..panels.base import Panel
from ..render import page_panels, panel_html
from ..scope import Scope
from ..state import STATUS_CLASSES, State, StateError
from ..window import RANGES
from .project_frame import frame


def state() -> State:
    """The state in the request's URL. Raises BadRequest."""
    try:
        return State.read(request.args)
    except StateError as error:
        raise BadRequest(str(error)) from error


def dashboard(
    template: str, scope: Scope, page: str, panels: Iterable[Panel[Scope]], **more: Any
) -> str | Response:
    """A page with range, filters and live state; `page` is its name in the rail.

    Of a page whose search is being typed htmx asks for the one panel that follows it.
    """
    asked = request.headers.get("HX-Target", "").removeprefix("panel-")
    for panel in panels:
        if panel.name == asked:
            response = make_response(panel_html(current_app, panel, scope))
            response.headers["HX-Replace-Url"] = scope.link()
            response.headers["Vary"] = "HX-Target"
            return response
    return render_template(
        template,
        **frame(scope, page),
        panels=page_panels(current_app, panels, scope),
        ranges=RANGES,
        status_classes=STATUS_CLASSES,
        outcomes=OUTCOMES,
        window={
            "start": instant(scope.window.start_us),
            "end": instant(scope.window.end_us),
            "step": scope.window.step_us // 1_000_000,
        },
        **more,
    )
