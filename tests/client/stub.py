"""A collector on loopback that behaves, or misbehaves, as a test says."""

import json
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flask_performance.testing import RecordedRequest, rows
from flask_performance.wire import Batch

KEY = "c5b35bc078844a59a15dd506e08f3ae6"

#: What a script answers: status, headers, body.
Reply = tuple[int, dict[str, str], bytes]
ACCEPTED: Reply = (202, {}, b'{"accepted": 1}')
#: The columns that the platform asks of every batch, also of one without a request.
COLUMNS = {"start_us", "duration_us", "operation", "status"}
INCOMPLETE: Reply = (400, {}, b'{"error": "A column is missing."}')


@dataclass
class Received:
    """One POST as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    batch: Batch
    at: float  # time.time()


@dataclass
class Collector:
    """What arrived, and how to answer next."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    #: Called with each POST; raise to hang up without an answer.
    reply: Callable[[Received], Reply] = lambda _: ACCEPTED
    #: Seconds between the head and the body of an answer.
    pause: float = 0.0
    #: Only POSTs answered with 202 count, once for each instance and number.
    accepted: dict[tuple[str, int], Batch] = field(default_factory=dict)
    #: Set when the test is over: whoever keeps a client waiting waits for it.
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def dsn(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/collector/{KEY}"

    @property
    def requests(self) -> list[RecordedRequest]:
        return [row for batch in list(self.accepted.values()) for row in rows(batch)]

    def silence(self, _: Received) -> Reply:
        """As `reply`: no answer while the test lasts."""
        self.over.wait()
        raise ConnectionError

    def wait_for(self, condition: Callable[[], object], seconds: float = 30) -> None:
        wait_for(condition, seconds, lambda: [r.batch for r in self.received])


def wait_for(
    condition: Callable[[], object], seconds: float = 30, show: Callable[[], object] = str
) -> None:
    """Poll until the condition holds; fail with what `show` says when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting after {seconds} s: {show()!r:.2000}")
        time.sleep(0.005)


@contextmanager
def running_collector(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Collector]:
    """Port 0 takes a free one."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            batch = json.loads(zlib.decompress(body, wbits=31))
            received = Received(self.path, dict(self.headers), body, batch, time.time())
            collector.received.append(received)
            whole = batch["requests"].keys() >= COLUMNS
            status, headers, answer = collector.reply(received) if whole else INCOMPLETE
            if status == 202:
                collector.accepted.setdefault((batch["instance"]["id"], batch["batch"]), batch)
            self.send_response_only(status)
            for name, value in {"Date": self.date_time_string(), **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            time.sleep(collector.pause)
            self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            pass

    with running_server(Handler, port, tls) as collector.port:
        try:
            yield collector
        finally:
            collector.over.set()


class Server(ThreadingHTTPServer):
    """Any number of connections, each on a thread that ends with this process."""

    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        pass  # a script that raises hangs up; that is the point of it


@contextmanager
def running_server(
    handler: type[BaseHTTPRequestHandler], port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """The port it listens on."""
    server = Server(("127.0.0.1", port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
