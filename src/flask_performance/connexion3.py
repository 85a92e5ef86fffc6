"""Apps made by Connexion 3, which serves them from ASGI.

It takes `app.wsgi_app` while it makes the app, before anybody can put a wrapper there, and has
errors leave the app as exceptions that carry their status, for its own middleware to answer.
"""

import logging
import sys
from typing import Any

from flask import Flask

logger = logging.getLogger("flask_performance")


def bridge_of(app: Flask) -> Any | None:
    """What calls `app` from ASGI: its attribute `app` is the WSGI application that is called.

    None for an app that Connexion 3 did not make.
    """
    if "connexion" not in sys.modules or not _made(app):
        return None
    for handler in app.error_handler_spec[None].get(None, {}).values():
        maker = getattr(handler, "__self__", None)
        bridge = getattr(getattr(maker, "_middleware_app", None), "asgi_app", None)
        if callable(getattr(bridge, "app", None)):
            return bridge
    logger.warning(
        "Flask-Performance sees no request of %r: this version of Connexion hides the Flask app "
        "in a way that is not known here. Please report this with the version.",
        app.name,
    )
    return None


def _made(app: Flask) -> bool:
    return type(app.json).__module__ == "connexion.frameworks.flask"


def status_of(error: BaseException, environ: dict[str, Any]) -> int | None:
    """The status that Connexion answers in the place of an app that raised `error`; None where it
    is an error like any other, or nobody is there to answer."""
    starlette = sys.modules.get("starlette.exceptions")
    if starlette is None or "asgi.scope" not in environ:
        return None
    return int(error.status_code) if isinstance(error, starlette.HTTPException) else None
