"""Bodies for pages and API come whole, before a thread begins to answer them.

Few threads do that, and each would wait for its client: eight that send a form byte by byte, and
nobody else sees a page.
"""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .room import Part, Room

BUSY: Final = PlainTextResponse(
    "More is being received than this server has memory for; send it again later.\n",
    503,
    {"retry-after": "5"},
)


def whole(app: ASGIApp, most: int, room: Room) -> ASGIApp:
    """The app, which gets bodies of up to `most` bytes whole; longer ones it is to refuse."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope, most):
            await app(scope, receive, send)
            return
        with room.part() as part:
            body = await _read(receive, most, part)
            if body is None:
                await BUSY(scope, receive, send)
            else:
                await app(scope, _replayed(body, receive), send)

    return call


def _has_body(scope: Scope, most: int) -> bool:
    """Whether there is one that the app will read: it looks at the length first."""
    headers = Headers(scope=scope)
    length = headers.get("content-length", "")
    return 0 < int(length) <= most if length.isdigit() else "transfer-encoding" in headers


async def _read(receive: Receive, most: int, part: Part) -> Sequence[Message] | None:
    """What came, until it is all or too much; None: there is no room for it."""
    found: list[Message] = []
    size = 0
    while True:
        message = await receive()
        found.append(message)
        chunk = message.get("body", b"")
        if not part.grow(len(chunk)):
            return None
        size += len(chunk)
        if not message.get("more_body", False) or size > most:
            return found


def _replayed(body: Sequence[Message], receive: Receive) -> Receive:
    messages = iter(body)

    async def again() -> Message:
        for message in messages:
            return message
        return await receive()

    return again
