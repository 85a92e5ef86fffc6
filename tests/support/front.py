"""One address in front of collectors and web processes, as docs/scale.md asks of a proxy."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Final

#: What nginx answers while the process behind it is away.
AWAY: Final = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def running_front(ports: Mapping[str, int]) -> Iterator[int]:
    """The port of a proxy that sends a connection where its first request belongs: `ports` by the
    beginning of the path, the first that fits. Bytes go both ways as they come, unbuffered."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                if beginning := _beginning(self.request):
                    path = beginning.split(b" ", 2)[1].decode()
                    port = next(ports[start] for start in ports if path.startswith(start))
                    _join(self.request, beginning, port)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _beginning(person: socket.socket) -> bytes:
    """The first line at least; empty where it never comes: browsers connect in advance."""
    came = b""
    while b"\r\n" not in came:
        chunk = person.recv(65536)
        if not chunk:
            return b""
        came += chunk
    return came


def _join(person: socket.socket, beginning: bytes, port: int) -> None:
    try:
        behind = socket.create_connection(("127.0.0.1", port))
    except OSError:
        person.sendall(AWAY)
        person.shutdown(socket.SHUT_WR)
        while person.recv(65536):
            pass
        return
    with behind:
        behind.sendall(beginning)
        back = threading.Thread(target=pump, args=(behind, person), daemon=True)
        back.start()
        pump(person, behind)
        back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Bytes from one to the other until either is closed."""
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
