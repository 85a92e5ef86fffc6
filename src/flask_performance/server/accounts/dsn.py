"""The address of this server, and the DSNs made with it."""

from flask import Flask, current_app, has_request_context, request

from flask_performance.server.settings import Settings

DEFAULT_URL = "http://127.0.0.1:8000"
EXTENSION = "flask_performance_settings"


def dsn(base_url: str, key: str) -> str:
    """What `METRIC_DSN` is set to: the URL with a project's key that a client posts to."""
    return f"{base_url}/v1/collector/{key}"


def known_url(settings: Settings) -> str:
    """Where this server is reached, without asking a browser.

    FLASK_PERFORMANCE_URL, else where `serve` last listened, else its default address.
    """
    if settings.url:
        return settings.url
    try:
        address = settings.address.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        address = ""
    return address.rstrip("/") or DEFAULT_URL


def server_url() -> str:
    """`known_url` of the current app."""
    return known_url(settings())


def base_url() -> str:
    """What pages and API show: FLASK_PERFORMANCE_URL, else the host the browser asked for."""
    ours = settings()
    if ours.url is None and has_request_context():
        return request.host_url.rstrip("/")
    return known_url(ours)


def settings(app: Flask | None = None) -> Settings:
    """Those of an app; without one, of the current app."""
    found = (app or current_app).extensions[EXTENSION]
    assert isinstance(found, Settings)  # noqa: S101
    return found
