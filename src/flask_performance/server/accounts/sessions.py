"""Cookies: what a session keeps over a log-in, and that nothing of it crosses a network openly."""

from typing import Any

from flask import Flask, Response, g, has_request_context, request, session
from flask_login import user_logged_in  # type: ignore[import-untyped]


class SecureResponse(Response):
    """Every cookie that is set over https is for https alone, however the app was set up."""

    def set_cookie(self, *args: Any, **options: Any) -> None:
        if has_request_context() and request.is_secure:
            options["secure"] = True
        super().set_cookie(*args, **options)


def init_app(app: Flask) -> None:
    app.response_class = SecureResponse
    user_logged_in.connect(_renew, app)


def _renew(_app: Flask, **_other: object) -> None:
    """Whoever planted a session before the log-in knows its CSRF token: it gets a new one."""
    session.pop("csrf_token", None)
    g.pop("csrf_token", None)
