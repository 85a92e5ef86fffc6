"""Who really asks, where reverse proxies stand in front: their headers are believed, no others.

Each proxy appends the address it was called from to X-Forwarded-For. With n trusted proxies the
n-th value from the right was written by one of ours; what stands left of it anybody may have sent.
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

ADDRESS: Final = "x-forwarded-for"
SCHEME: Final = "x-forwarded-proto"


def behind(proxies: int, app: ASGIApp) -> ASGIApp:
    """The app with the client's address and scheme as the outermost trusted proxy saw them.

    The host is the one of the request: a proxy passes it on (docs/operations.md).
    """
    if proxies == 0:
        return app

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = _seen_by(proxies, scope)
        await app(scope, receive, send)

    return call


def _seen_by(proxies: int, scope: Scope) -> Scope:
    headers = Headers(scope=scope)
    address = _trusted(headers.getlist(ADDRESS), proxies)
    scheme = _trusted(headers.getlist(SCHEME), proxies)
    changed: Scope = {}
    if address:
        changed["client"] = (address, 0)
    if scheme in {"http", "https"}:
        changed["scheme"] = scheme
    return {**scope, **changed}


def _trusted(lines: list[str], proxies: int) -> str | None:
    """The value that our outermost proxy wrote.

    A proxy that sets the scheme anew instead of appending leaves one value, which is ours too.
    """
    values = [value.strip() for line in lines for value in line.split(",") if value.strip()]
    return values[-min(proxies, len(values))] if values else None
