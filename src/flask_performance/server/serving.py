"""The server on the socket: uvicorn, whose protocol knows a shorter way to the collector."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn._types import ASGIApplication

from .collector.endpoint import Collector, Header
from .collector.protocol import CollectorProtocol, Heads, Seen

#: Open connections at once; every open live page holds one.
CONNECTIONS: Final = 8192
#: Connections are looked at this often, for those that are late (seconds).
LOOK: Final = 1.0


class Server(uvicorn.Server):
    """Runs until `should_exit`; signals are the caller's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def serve_on(self) -> None:
        """Serve, and close the connections of clients that are late."""
        looking = asyncio.create_task(self._look())
        try:
            await self.serve()
        finally:
            looking.cancel()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, CollectorProtocol):
                    connection.close_if_late(now)


def server(
    app: ASGIApp, collector: Collector, headers: Sequence[Header], host: str, port: int
) -> Server:
    """`headers`: for the answers that the collector gives without the app around it."""
    protocol = partial(CollectorProtocol, collector, Heads(headers), Seen())
    return Server(
        uvicorn.Config(
            cast(ASGIApplication, app),
            host=host,
            port=port,
            http=cast("type[asyncio.Protocol]", protocol),
            interface="asgi3",
            ws="none",
            lifespan="off",
            backlog=CONNECTIONS,
            limit_concurrency=CONNECTIONS,
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_config=None,
            log_level="error",
        )
    )
