"""A forward proxy on loopback, as companies have them: POSTs to whole addresses, and CONNECT."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.support.front import pump

from .stub import running_server


@dataclass
class ForwardProxy:
    """Whatever host it is asked for, it goes to one port of this machine."""

    target: int
    #: The Proxy-Authorization it wants to hear.
    wants: str | None = None
    port: int = 0
    #: The first line of each request that came, without the protocol.
    asked: list[str] = field(default_factory=list)
    #: The headers that were meant for the platform.
    passed_on: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def running_proxy(target: int, wants: str | None = None) -> Iterator[ForwardProxy]:
    proxy = ForwardProxy(target, wants)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.admitted():
                self.forward(body)

        def do_CONNECT(self) -> None:
            if not self.admitted():
                return
            self.send_response_only(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            with socket.create_connection(("127.0.0.1", proxy.target)) as beyond:
                back = threading.Thread(target=pump, args=(beyond, self.connection))
                back.start()
                pump(self.connection, beyond)
                back.join()

        def admitted(self) -> bool:
            proxy.asked.append(f"{self.command} {self.path}")
            if self.headers.get("Proxy-Authorization") == proxy.wants:
                return True
            self.send_response_only(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def forward(self, body: bytes) -> None:
            headers = {k: v for k, v in self.headers.items() if k != "Proxy-Authorization"}
            proxy.passed_on.append(headers)
            connection = HTTPConnection("127.0.0.1", proxy.target, timeout=10)
            connection.request("POST", urlsplit(self.path).path, body, headers)
            response = connection.getresponse()
            self.send_response_only(response.status)
            answer = response.read()
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            connection.close()

        def log_message(self, *args: Any) -> None:
            pass

    with running_server(Handler) as proxy.port:
        yield proxy
