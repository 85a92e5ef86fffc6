"""The collector behind its real server: what only a socket can show."""

import gzip
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from flask_performance.wire import MAX_BODY
from tests.server.batches import batch, body, single, zipped
from tests.support.http import Answer, fetch
from tests.support.platform import Platform, Project, running_platform
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

TYPE = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, Project]]:
    """One platform for the tests of this module, and its first project."""
    with running_platform(tmp_path_factory.mktemp("platform") / "data") as platform:
        yield platform, platform.project()


@pytest.fixture
def project(shared: tuple[Platform, Project]) -> Project:
    return shared[1]


def _refused(answer: Answer, status: int) -> None:
    assert answer.status == status, answer.body
    assert answer.json()["error"].endswith(".")


def test_answers(project: Project) -> None:
    assert fetch(
        project.dsn, "POST", zipped(batch(1)), TYPE | {"Content-Encoding": "gzip"}
    ).json() == {"accepted": 3}
    assert fetch(project.dsn, "POST", body(single()), TYPE).status == 202
    _refused(fetch(project.dsn[:-4] + "0000", "POST", body(batch(2)), TYPE), 401)
    _refused(fetch(project.dsn, "PUT", body(batch(2)), TYPE), 405)
    _refused(fetch(project.dsn, "POST", b"{}", TYPE), 400)
    _refused(fetch(project.dsn, "POST", b"{}", {"Content-Type": "text/csv"}), 415)


def test_the_page_for_people(project: Project) -> None:
    page = fetch(project.dsn)
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert project.dsn in page.body.decode()
    head = fetch(project.dsn, "HEAD")
    assert (head.status, head.body) == (200, b"")


def test_a_chunked_body(project: Project) -> None:
    parts = urlsplit(project.dsn)
    content = body(batch(10, requests=2000))
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    chunks = (content[place : place + 1000] for place in range(0, len(content), 1000))
    connection.request("POST", parts.path, chunks, TYPE, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (202, b'{"accepted": 2000}')
    connection.close()


@pytest.mark.parametrize("size", [MAX_BODY + 1, 4 * MAX_BODY])
def test_a_body_that_is_too_large_gets_its_answer(project: Project, size: int) -> None:
    """Even if the client has not finished talking."""
    parts = urlsplit(project.dsn)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        client.sendall(head.encode() + b"x" * 1000)
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "left",
    [
        "POST PATH HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + '{"version": 1',
        "POST PATH HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        "POST PATH HTTP/1.1\r\nHost: x\r\nContent-",
        "\x16\x03\x01 this is TLS to you",
    ],
)
def test_a_client_that_leaves_midway(project: Project, left: str) -> None:
    parts = urlsplit(project.dsn)
    for _ in range(20):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
            client.sendall(left.replace("PATH", parts.path).encode("latin-1"))
    assert fetch(project.dsn, "POST", body(single()), TYPE).status == 202


def test_addresses(shared: tuple[Platform, Project]) -> None:
    platform, project = shared
    start, _, key = project.dsn.rpartition("/")
    for dsn in (f"{start}/{key.upper()}", f"{project.dsn}/"):
        assert fetch(dsn, "POST", body(single()), TYPE).status == 202
        assert fetch(dsn).status == 200
    for path in ("/v1", "/v1/", "/v1/collector", f"/v1/collector/{key}/more", "/v1/nothing"):
        for method in ("GET", "POST"):
            _refused(fetch(platform.url + path, method), 404)


BOMBS: dict[str, dict[str, Any]] = {
    "numbers": {"requests": {"duration_us": [1] * 4_000_000}},
    "texts": {"requests": {"path": ["ab"] * 1_600_000}},
    "operations": {"operations": [{"method": "", "route": ""}] * 300_000},
    "reasons": {"ledger": {"dropped": {f"{number:x}": 1 for number in range(600_000)}}},
    "unknown": {"spans": [{}] * 2_000_000},
}


@pytest.mark.parametrize("kind", BOMBS)
def test_others_are_answered_while_bombs_are_decoded(
    shared: tuple[Platform, Project], kind: str
) -> None:
    platform, project = shared
    bomb = gzip.compress(body({"version": 1} | BOMBS[kind]), 1)
    headers = TYPE | {"Content-Encoding": "gzip"}
    with ThreadPoolExecutor(8) as pool:
        refused = [pool.submit(fetch, project.dsn, "POST", bomb, headers) for _ in range(8)]
        slowest = 0.0
        while not all(one.done() for one in refused):
            began = time.monotonic()
            assert fetch(f"{platform.url}/health").status == 200
            slowest = max(slowest, time.monotonic() - began)
        for one in refused:
            _refused(one.result(), 400)
    assert slowest < 1.0


def test_many_clients_at_once_and_again(shared: tuple[Platform, Project]) -> None:
    platform, first = shared
    dsn = platform.create_project("Many")
    id = next(one["id"] for one in first.api.items("/projects") if one["dsn"] == dsn)
    project = Project(id, "Many", dsn, first.api)
    documents = [
        body(batch(number, instance={"id": f"many-{client}"}))
        for client in range(8)
        for number in range(1, 26)
    ]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: fetch(dsn, "POST", one, TYPE), documents * 2))
    assert {answer.status for answer in answers} == {202}
    fetch(dsn, "POST", body(batch(instance={"id": "the last"})), TYPE)
    # The times in these batches are of long ago; the ledger counts by arrival.
    wait_for(lambda: project.get("ledger")["stored"] >= 603, 10, "603 stored requests")
    ledger = project.get("ledger")
    assert (ledger["seen"], ledger["stored"], ledger["lost"]) == (603, 603, 0)
