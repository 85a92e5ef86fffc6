"""How a batch reaches the platform: one seam with one verb, and its home over HTTP."""

import contextlib
import http.client
import io
import json
import math
import os
import socket
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from .proxies import Proxy, proxy_for

#: An answer is a sentence; nobody needs more of it.
_MOST_ANSWER = 4096
#: Of another server's page, which may stand in its place, the log shows so many characters.
_MOST_SENTENCE = 300
#: Who waits for an answer looks up every so many seconds whether the process ends meanwhile.
_LOOK_UP = 0.1

#: How many seconds are left; raises TimeoutError when none are.
Countdown = Callable[[], float]


class Answer(NamedTuple):
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

    def hurry(self, deadline: float) -> None:  # noqa: B027  most are quick enough
        """The process ends: give up by `deadline` (monotonic) what is being sent and what still
        will be, until `close`. Called from any thread."""

    def close(self) -> None:  # noqa: B027  most have nothing to let go of
        """Let go of connections."""

    def abandon(self) -> None:
        """In the child after a fork: let go of the parent's connections without a word to the other
        side, and without waiting for a lock that one of the parent's threads held."""
        self.close()


class HttpTransport(Transport):
    """POSTs to a DSN over one connection that is kept open, through a proxy if the environment
    names one.

    `timeout` (seconds) is the time to connect and, again, the time from the first byte sent to the
    last byte received, however slowly they trickle.
    """

    def __init__(self, dsn: str, timeout: float, user_agent: str) -> None:
        url = urlsplit(dsn)
        self._secure = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._secure else 80)
        self._target = url.path
        port = "" if url.port is None else f":{url.port}"
        self.name = f"the platform at {self._host}{port}"
        self._timeout = timeout
        self._headers = {
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "User-Agent": user_agent,
        }
        self._proxy: Proxy | None = None
        self._fault: ValueError | None = None
        self._find_proxy(url)
        self._connection: http.client.HTTPConnection | None = None
        self._hurry_by = math.inf

    def _find_proxy(self, url: SplitResult) -> None:
        try:
            proxy = self._proxy = proxy_for(url.scheme, self._host, self._port)
        except ValueError as fault:
            self._fault = fault  # the variable may be meant for others: no reason not to start
            return
        if proxy is not None:
            self.name += f" through the proxy at {proxy.name}"
            if not self._secure:
                self._target = url.geturl()
                self._headers.update(proxy.headers)

    def send(self, body: bytes) -> Answer:
        kept = self._connection is not None
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._disconnect()
            # A kept connection may have been closed by the other side while it was quiet; that says
            # nothing about the platform, and a repeat is harmless: batches are numbered.
            if kept and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                return self._again(body)
            raise TransportError(_words(error)) from error

    def _again(self, body: bytes) -> Answer:
        try:
            return self._exchange(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._disconnect()
            raise TransportError(_words(error)) from error

    def _exchange(self, body: bytes) -> Answer:
        connection = self._connection or self._connect()
        left = self._countdown()
        connection.sock.settimeout(left())
        connection.request("POST", self._target, body, self._headers)
        connection.response_class = _patient_response(left)
        response = connection.getresponse()
        text = response.read(_MOST_ANSWER)
        if response.will_close or not response.isclosed():
            self._disconnect()
        return Answer(
            response.status,
            _seconds(response.headers.get("Retry-After")),
            text.decode("utf-8", "replace"),
            response.headers.get("Date"),
        )

    def _connect(self) -> http.client.HTTPConnection:
        if self._fault is not None:
            raise self._fault
        left = self._countdown()
        connection = self._dialled(left())
        connection.response_class = _patient_response(left)  # what a proxy says to CONNECT
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            connection.close()  # a proxy may have been reached, and not have answered
            raise
        self._connection = connection
        return connection

    def _dialled(self, timeout: float) -> http.client.HTTPConnection:
        """A connection that is still to be made: to the platform, or to the proxy on the way."""
        proxy = self._proxy
        host, port = (self._host, self._port) if proxy is None else (proxy.host, proxy.port)
        if not self._secure:
            return http.client.HTTPConnection(host, port, timeout=timeout)
        connection = http.client.HTTPSConnection(
            host, port, timeout=timeout, context=ssl.create_default_context()
        )
        if proxy is not None:
            connection.set_tunnel(self._host, self._port, proxy.headers)
        return connection

    def _countdown(self) -> Countdown:
        """From now on: how many seconds are left. Raises TimeoutError when none are."""
        end = time.monotonic() + self._timeout

        def left() -> float:
            seconds = min(end, self._hurry_by) - time.monotonic()
            if seconds <= 0:
                raise TimeoutError("timed out")
            return seconds

        return left

    def hurry(self, deadline: float) -> None:
        self._hurry_by = deadline

    def close(self) -> None:
        self._hurry_by = math.inf
        self._disconnect()

    def abandon(self) -> None:
        # To close the connection would mean to close its reader, whose lock may have been taken at
        # the fork by the thread that waited for an answer; nobody gives it back in the child.
        connection, self._connection = self._connection, None
        self._hurry_by = math.inf
        sock = None if connection is None else connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                os.close(sock.detach())

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _PatientReader(io.RawIOBase):
    """Reads from a socket while time is left. A socket's own timeout starts anew with every byte,
    and does not hear that the process ends."""

    def __init__(self, sock: socket.socket, left: Countdown) -> None:
        self._sock = sock
        self._left = left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self._sock.settimeout(min(self._left(), _LOOK_UP))
            with contextlib.suppress(TimeoutError):
                return self._sock.recv_into(buffer)


class _PatientSocket:
    """The one method of a socket that HTTPResponse asks for."""

    def __init__(self, sock: socket.socket, left: Countdown) -> None:
        self._reader = _PatientReader(sock, left)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002
        return io.BufferedReader(self._reader)


def _patient_response(left: Countdown) -> Any:
    def build(sock: Any, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_PatientSocket(sock, left), *args, **kwargs)  # type: ignore[arg-type]

    return build


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _seconds(header: str | None) -> float | None:
    """Retry-After in its form of seconds; a date is rare and treated as absent."""
    if header is None or not header.strip().isdigit():
        return None
    return float(header.strip())
