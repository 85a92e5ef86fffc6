"""An ASGI server in a function: one request, chunk by chunk, and the answer."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from http.client import HTTPMessage
from typing import Any

from .http import Answer

Message = dict[str, Any]
Application = Callable[..., Awaitable[None]]


async def call(
    application: Application,
    path: str,
    method: str = "POST",
    body: bytes | Iterable[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    *,
    leaves: bool = False,
    client: tuple[str, int] | None = ("127.0.0.1", 1),
) -> Answer | None:
    """The answer, or None if there was none. `leaves`: the client goes before its last chunk."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    received: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": leaves or place + 1 < len(chunks)}
        for place, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return received.pop(0) if received else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await application(_scope(path, method, headers or {}, client), receive, send)
    return _answer(sent) if sent else None


def _scope(
    path: str, method: str, headers: Mapping[str, str], client: tuple[str, int] | None
) -> Message:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http", "http_version": "1.1", "scheme": "http", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": raw,
        "client": client, "server": ("127.0.0.1", 80),
    }  # fmt: skip


def _answer(sent: list[Message]) -> Answer:
    start, *parts = sent
    headers = HTTPMessage()
    for name, value in start["headers"]:
        headers[name.decode()] = value.decode()
    body = b"".join(part.get("body", b"") for part in parts)
    assert int(headers["content-length"]) == len(body)
    return Answer(start["status"], headers, body)
