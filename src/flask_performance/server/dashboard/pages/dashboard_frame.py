"""What pages that show a time share: the state in the URL, the panels, what is around them."""

from collections.abc import Iterable
from typing import Any

from flask import current_app, render_template, request
from werkzeug.exceptions import BadRequest

from ..chips import OUTCOMES
from ..formats import instant
from ..panels.base import Panel
from ..render import page_panels
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
) -> str:
    """A page with range, filters and live state; `page` is its name in the rail."""
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
