"""The short way from the socket to the collector: one connection, byte by byte."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_performance.server import serving
from flask_performance.server.collector import protocol
from flask_performance.server.serving import server
from tests.server.batches import batch, body, single
from tests.server.collector.test_endpoint import ADDRESS, Desk
from tests.support.waiting import free_port, wait_for

EXTRA = (b"x-frame-options", b"DENY")


class Line:
    """A served collector, and connections to it."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        self.port = free_port()
        self._server = server(self._app, self.desk.collector, [EXTRA], "127.0.0.1", self.port)
        self._thread = threading.Thread(target=asyncio.run, args=[self._server.serve_on()])
        self._thread.start()
        wait_for(lambda: self._server.started, 10, "the server to listen")

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        await self.desk.collector(scope, receive, send)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.desk.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def answers(self, sent: bytes, count: int) -> list[tuple[int, bytes]]:
        """Status and body of so many answers on one connection."""
        with self.connect() as client:
            client.sendall(sent)
            with client.makefile("rb") as said:
                return [_answer(said) for _ in range(count)]


def _answer(said: Any) -> tuple[int, bytes]:
    head = b"".join(iter(said.readline, b"\r\n"))
    length = re.search(rb"content-length: (\d+)\r\n", head)
    assert length is not None, head
    assert b"date: " in head
    return int(head.split()[1]), said.read(int(length[1]))


def post(content: bytes, *headers: str, version: str = "1.1", path: str = ADDRESS) -> bytes:
    length = f"Content-Length: {len(content)}"
    lines = [f"POST {path} HTTP/{version}", "Host: x", length, *headers, "", ""]
    return "\r\n".join(lines).encode() + content


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.close()


def test_an_answer_has_the_headers_of_every_answer(line: Line) -> None:
    with line.connect() as client:
        client.sendall(post(body(single())))
        said = client.recv(10_000)
    assert said.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert b"\r\nx-frame-options: DENY\r\n" in said
    assert said.endswith(b'\r\n\r\n{"accepted": 1}')


def test_posts_before_their_answers_are_answered_in_order(line: Line) -> None:
    sent = [single(), batch(1, requests=2), batch(2, requests=3), {}, single()]
    found = line.answers(b"".join(post(body(one)) for one in sent), len(sent))
    assert [status for status, _ in found] == [202, 202, 202, 400, 202]
    assert [said for _, said in found[:3]] == [b'{"accepted": %d}' % n for n in (1, 2, 3)]
    assert [one.body for one in line.desk.kept()] == [
        body(one) for one in sent if one != {}
    ]  # fmt: skip


def test_the_long_way_and_the_short_one_on_one_connection(line: Line) -> None:
    show = f"GET {ADDRESS} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    chunked = post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    content = body(single())
    chunked += b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    sent = post(content) + show + post(content) + chunked + post(content)
    found = line.answers(sent, 5)
    assert [status for status, _ in found] == [202, 200, 202, 202, 202]


def test_a_post_that_comes_byte_by_byte(line: Line) -> None:
    with line.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post(body(single())):
            client.sendall(bytes([byte]))
        assert client.recv(10_000).startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post(body(single()), "Content-Type: text/csv"), 415),
        (post(body(single()), "Content-Encoding: br"), 415),
        (post(b"{}"), 400),
        (post(body(single()), path="/v1/collector/" + "0" * 32), 401),
        (post(body(single()), path="/v1/collector/" + "d" * 32), 401),
        (post(body(single()), path="/v1/else"), 404),
        (post(b"", path=ADDRESS), 400),
    ],
)
def test_refusals(line: Line, sent: bytes, status: int) -> None:
    (found,) = line.answers(sent, 1)
    assert found[0] == status
    assert found[1].startswith(b'{"error":')
    assert sum(line.desk.collector.counts.refused.values()) == 1


@pytest.mark.parametrize(
    "sent",
    [
        post(body(single()), "Connection: close"),
        post(body(single()), version="1.0"),
    ],
)
def test_a_connection_that_is_to_be_closed(line: Line, sent: bytes) -> None:
    with line.connect() as client:
        client.sendall(sent)
        with client.makefile("rb") as said:
            assert said.readline().startswith(b"HTTP/1.1 202")
            assert b"connection: close\r\n" in said.read()


def test_who_expects_100_continue_gets_it(line: Line) -> None:
    head, _, content = post(body(single()), "Expect: 100-continue").partition(b"\r\n\r\n")
    with line.connect() as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        client.sendall(content)
        assert client.recv(10_000).startswith(b"HTTP/1.1 202 ")


def test_what_was_kept_is_kept_though_its_client_has_gone(line: Line) -> None:
    for _ in range(20):
        with line.connect() as client:
            client.sendall(post(body(single())))
    wait_for(lambda: len(line.desk.kept()) == 20, 10, "twenty requests in the journal")
    assert line.answers(post(body(single())), 1)[0][0] == 202


def test_endless_headers_are_refused(line: Line) -> None:
    with line.connect() as client:
        head = f"POST {ADDRESS} HTTP/1.1\r\n".encode()
        client.sendall(head + b"X: %b\r\n" % (b"x" * 1000) * 70)
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")


#: A body that is not whole: of the short way, and of the long one.
HALF = post(body(single()))[:-1]
HALF_CHUNKED = (
    post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"") + b"9\r\n{"
)


@pytest.mark.parametrize("begun", [b"", b"POST /v1/coll", post(body(single())), HALF, HALF_CHUNKED])
def test_who_is_late_is_closed(line: Line, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(serving, "LOOK", 0.05)
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.3)
    with line.connect() as client:
        client.sendall(begun)
        began = time.monotonic()
        while client.recv(10_000):
            pass
        assert time.monotonic() - began >= 0.15


@pytest.mark.parametrize("half", [HALF, HALF_CHUNKED], ids=["short way", "long way"])
def test_bodies_under_way_have_a_bound_all_together(line: Line, half: bytes) -> None:
    """Each may be small enough, and all of them more than the server has."""
    room = line.desk.collector.room
    room.left = 3 * len(body(single()))
    filler = f"POST {ADDRESS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    with line.connect() as first, line.connect() as second:
        first.sendall(filler + b" " * (room.left - 1))
        wait_for(lambda: room.left == 1, 10, "a body that takes nearly all room")
        second.sendall(half.replace(b"9\r\n{", b"9\r\n{ {} {} {"))
        said = second.recv(10_000)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in said
        assert line.answers(post(b"{}"), 1)[0][0] == 503
    wait_for(lambda: room.left == 3 * len(body(single())), 10, "all room to be given back")
    for _ in range(5):
        assert line.answers(post(body(single())), 1)[0][0] == 202
    assert line.desk.collector.counts.refused["busy"] == 2


def test_strangers_take_no_room(line: Line) -> None:
    """Whoever has no key is told so before a body is read."""
    head = HALF.replace(ADDRESS.encode(), b"/v1/collector/" + b"0" * 32)
    with line.connect() as client:
        client.sendall(head)
        assert client.recv(10_000).startswith(b"HTTP/1.1 401 ")


def test_a_full_journal(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.desk.journal._max_waiting = 10
    try:
        with line.connect() as client:
            client.sendall(post(body(single())))
            said = client.recv(10_000)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in said
    finally:
        line.close()


def test_a_head_that_was_seen_before_is_answered_as_the_first_time(line: Line) -> None:
    message = post(body(single()))
    with line.connect() as client, client.makefile("rb") as said:
        for _ in range(3):
            client.sendall(message)
            assert _answer(said) == (202, b'{"accepted": 1}')
        client.sendall(message[:40])
        time.sleep(0.05)  # a message in two pieces
        client.sendall(message[40:])
        assert _answer(said)[0] == 202
    assert len(line.desk.journal.read(0, 10, 2**30)) == 4


def test_a_body_that_looks_like_a_seen_message_is_a_body(line: Line) -> None:
    """Also where its head came at the end of the packet before."""
    message = post(body(single()))
    outer = post(message)
    with line.connect() as client, client.makefile("rb") as said:
        client.sendall(message)
        assert _answer(said)[0] == 202
        client.sendall(message + outer[: -len(message)])
        assert _answer(said)[0] == 202
        client.sendall(message)
        assert _answer(said)[0] == 400
    assert len(line.desk.journal.read(0, 10, 2**30)) == 2
