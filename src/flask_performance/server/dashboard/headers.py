"""What every answer tells the browser to refuse, and how long it may keep a file."""

from typing import Final

from flask import Flask, Response, request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .assets import URL

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'"
)
#: For every page, also for one that another part of the platform answers with.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
#: Where people come by HTTPS, their browsers use nothing else for this host for a year.
TRANSPORT_SECURITY: Final = ("Strict-Transport-Security", "max-age=31536000")
#: Names under this path carry a fingerprint of their content: they never change.
FINGERPRINTED: Final = URL + "assets/"


def init_app(app: Flask) -> None:
    app.after_request(add)


def add(response: Response) -> Response:
    """After every request of the web app: how to refuse, and how to cache."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith(FINGERPRINTED) and response.status_code in {200, 304}:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif not request.path.startswith(URL):
        # Whatever it is, it is somebody's: no cache keeps it, and "back" asks again.
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def common(*, https: bool) -> list[tuple[bytes, bytes]]:
    """These headers as ASGI has them. `https`: people come by HTTPS."""
    headers = [(k.lower().encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]
    name, value = TRANSPORT_SECURITY
    return [*headers, (name.lower().encode(), value.encode())] if https else headers


def secured(app: ASGIApp, *, https: bool) -> ASGIApp:
    """The app with these headers on every answer that lacks them, whoever gave it.

    `https`: people come by HTTPS, also where this request does not say so.
    """
    usual, encrypted_too = common(https=False), common(https=True)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        encrypted = https or scope.get("scheme") == "https"
        wanted = encrypted_too if encrypted else usual

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message["headers"])
                names = {name.lower() for name, _value in given}
                missing = [header for header in wanted if header[0] not in names]
                message = {**message, "headers": [*given, *missing]}
            await send(message)

        await app(scope, receive, send_with)

    return call
