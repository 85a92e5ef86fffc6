"""Panels to HTML and JSON. No request context: a live fragment is the first paint's, made later."""

import logging
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from flask import Flask
from markupsafe import Markup

from flask_performance.server.store.base import StoreUnavailableError

from .panels.base import Panel

log = logging.getLogger(__name__)

S = TypeVar("S")

# What ends a <script> element early, or starts a comment in one, as JSON escapes.
_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def panel_html(app: Flask, panel: Panel[S], scope: S) -> Markup:
    """The panel's element with everything in it; words where the store has no answer."""
    try:
        name, shown = panel.template, panel.show(scope)
    except StoreUnavailableError as error:
        log.warning(
            "The panel %(panel)s has no answer: %(error)s", {"panel": panel.name, "error": error}
        )
        name, shown = "panels/away.html", {}
    template = app.jinja_env.get_template(name)
    return Markup(template.render({"panel": panel, "scope": scope, **shown}))  # noqa: S704  # nosec B704


def panel_event(app: Flask, panel: Panel[S], scope: S) -> str:
    """What the panel's live event carries: JSON for its chart, else its element."""
    if panel.data is not None:
        return msgspec.json.encode(panel.data(scope)).decode()
    return str(panel_html(app, panel, scope))


def page_panels(app: Flask, panels: Iterable[Panel[S]], scope: S) -> dict[str, Markup]:
    """Every panel of a page by name."""
    return {panel.name: panel_html(app, panel, scope) for panel in panels}


def script_json(value: Any) -> Markup:
    """JSON for a <script type="application/json"> element."""
    return Markup(msgspec.json.encode(value).decode().translate(_ESCAPES))  # noqa: S704  # nosec B704
