"""The platform's own web app runs the extension on itself, as any app does.

Its batches go to the collector in this process, without a socket: key, quotas and ledger are as for
everybody. The collector is no part of the web app, so what it takes of us makes no new request.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from importlib.metadata import version
from typing import Any, Final

from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance.transport import Answer, Transport, TransportError

log = logging.getLogger(__name__)

#: The collector, as ASGI.
Collector = Callable[[Any, Any, Any], Awaitable[None]]

#: Counted and not sent: files that every page brings along.
IGNORED: Final = ("/static/*", "/fs-static/*")
#: How long the collector may take (seconds).
PATIENCE: Final = 2.0
#: How long the last batch may take at the end (seconds).
LAST: Final = 0.5


def watch(web: Flask, collector: Collector, key: str) -> Callable[[], Awaitable[None]]:
    """Record the web app from now on. To be called on the event loop; so is the end, returned."""
    transport = ToOurCollector(collector, key, asyncio.get_running_loop())
    extension = PerformanceCollector(transport=transport)
    extension.edit(without_secrets)
    web.config.update(
        METRIC_RELEASE=version("flask-performance"),
        METRIC_ENVIRONMENT="production",
        METRIC_IGNORE=IGNORED,
        METRIC_TIMEOUT=PATIENCE,
    )
    with _without_settings_of_apps():
        extension.init_app(web)

    async def end() -> None:
        await asyncio.to_thread(extension.stop, web, LAST)

    return end


def without_secrets(draft: Any) -> Any:
    """Paths hold links that open something, and names of other people's teams: rules do not.

    Of a path that matched no rule the first part is left: enough to see what strangers try.
    """
    if draft.route is not None:
        draft.path = draft.route
        return draft
    first, rest = draft.path[1:].partition("/")[::2]
    draft.path = f"/{first}/…" if rest else f"/{first}"
    return draft


class ToOurCollector(Transport):
    """Hands batches over within the process."""

    name = "this server itself"

    def __init__(self, collector: Collector, key: str, loop: asyncio.AbstractEventLoop) -> None:
        self._collector = collector
        self._path = f"/v1/collector/{key}"
        self._loop = loop

    def send(self, body: bytes) -> Answer:
        posted = self._post(body)
        try:
            future = asyncio.run_coroutine_threadsafe(posted, self._loop)
        except RuntimeError as error:  # the loop is closed
            posted.close()
            raise TransportError("the server has ended") from error
        try:
            return future.result(PATIENCE)
        except (TimeoutError, CancelledError) as error:
            future.cancel()
            raise TransportError("the collector does not answer") from error

    async def _post(self, body: bytes) -> Answer:
        scope = {
            "type": "http", "method": "POST", "scheme": "http", "path": self._path,
            "headers": [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")],
        }  # fmt: skip
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        await self._collector(scope, receive, send)
        headers = dict(sent[0]["headers"])
        wait = headers.get(b"retry-after")
        text = b"".join(message.get("body", b"") for message in sent).decode("utf-8", "replace")
        return Answer(sent[0]["status"], float(wait) if wait else None, text)


@contextlib.contextmanager
def _without_settings_of_apps() -> Iterator[None]:
    """METRIC_… of this process's environment is meant for other apps: their DSN, their spool."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("METRIC_")}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)
