"""How a batch reaches the platform: one seam with one verb, and its home over HTTP."""

import codecs
import contextlib
import http.client
import io
import json
import socket
import ssl
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

#: An answer is a sentence; nobody needs more of it.
_MOST_ANSWER = 4096
#: Of another server's page, which may stand in its place, the log shows so many characters.
_MOST_SENTENCE = 300


@dataclass(frozen=True)
class Answer:
    """What the platform said to a batch."""

    status: int
    #: Seconds to stay silent (Retry-After), where the platform asked for it.
    retry_after: float | None = None
    #: The platform's own words, for the log.
    text: str = ""
    #: The platform's clock, as its Date header has it.
    date: str | None = None

    @property
    def sentence(self) -> str:
        """The platform's own words in a line: `error` of its JSON, or what another server says."""
        words = self.text
        with contextlib.suppress(ValueError, RecursionError):
            said = json.loads(self.text)
            words = said.get("error", "") if isinstance(said, dict) else words
        line = " ".join(str(words).split())
        return line if len(line) <= _MOST_SENTENCE else f"{line[:_MOST_SENTENCE]}…"


class TransportError(Exception):
    """No answer: nobody knows whether the batch arrived, so it is sent again unchanged."""


class Transport(ABC):
    """Delivers batches. Called by one thread at a time, never on a request's thread."""

    #: Who is at the other end, for the log.
    name: str = "the platform"

    @abstractmethod
    def send(self, body: bytes) -> Answer:
        """Deliver one encoded batch (gzipped JSON). Raise TransportError when no answer came."""

    def close(self) -> None:  # noqa: B027  most have nothing to let go of
        """Let go of connections; also called in the child after a fork."""


class HttpTransport(Transport):
    """POSTs to a DSN over one connection that is kept open.

    `timeout` (seconds) is the time to connect and, again, the time from the first byte sent to the
    last byte received, however slowly they trickle.
    """

    def __init__(self, dsn: str, timeout: float, user_agent: str) -> None:
        url = urlsplit(dsn)
        codecs.lookup("idna")  # imported now, not on the sender's thread in the middle of a fork
        self._secure = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port
        self._path = url.path
        port = "" if url.port is None else f":{url.port}"
        self.name = f"the platform at {self._host}{port}"
        self._timeout = timeout
        self._headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "User-Agent": user_agent,
        }
        self._connection: http.client.HTTPConnection | None = None

    def send(self, body: bytes) -> Answer:
        kept = self._connection is not None
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            # A kept connection may have been closed by the other side while it was quiet; that says
            # nothing about the platform, and a repeat is harmless: batches are numbered.
            if kept and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                return self._again(body)
            raise TransportError(_words(error)) from error

    def _again(self, body: bytes) -> Answer:
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise TransportError(_words(error)) from error

    def _exchange(self, body: bytes) -> Answer:
        connection = self._connection or self._connect()
        deadline = time.monotonic() + self._timeout
        connection.sock.settimeout(self._timeout)
        connection.request("POST", self._path, body, self._headers)
        connection.response_class = _deadline_response(deadline)
        response = connection.getresponse()
        text = response.read(_MOST_ANSWER)
        if response.will_close or not response.isclosed():
            self.close()
        return Answer(
            response.status,
            _seconds(response.headers.get("Retry-After")),
            text.decode("utf-8", "replace"),
            response.headers.get("Date"),
        )

    def _connect(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until a deadline. A socket's own timeout starts anew with every byte."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


class _DeadlineSocket:
    """The one method of a socket that HTTPResponse asks for."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._reader = _DeadlineReader(sock, deadline)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002
        return io.BufferedReader(self._reader)


def _deadline_response(deadline: float) -> Any:
    def build(sock: Any, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_DeadlineSocket(sock, deadline), *args, **kwargs)  # type: ignore[arg-type]

    return build


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _seconds(header: str | None) -> float | None:
    """Retry-After in its form of seconds; a date is rare and treated as absent."""
    if header is None or not header.strip().isdigit():
        return None
    return float(header.strip())
