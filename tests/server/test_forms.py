"""Bodies for pages and API: however slow they come, and however many, others are answered."""

import contextlib
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.support.http import fetch
from tests.support.platform import Platform, running_platform

pytestmark = pytest.mark.slow
#: More than there are threads.
SLOW = 20


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("forms") / "data") as platform:
        yield platform


def test_slow_clients_keep_nobody_from_the_pages(platform: Platform) -> None:
    place = urlsplit(platform.url)
    head = (
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 1000\r\n\r\nemail="
    )
    with contextlib.ExitStack() as stack:
        for _ in range(SLOW):
            slow = stack.enter_context(socket.create_connection((place.hostname, place.port), 10))
            slow.sendall(head.encode())
        assert fetch(f"{platform.url}/login", timeout=10).status == 200
        assert fetch(f"{platform.url}/api/v1/projects", timeout=10).status == 401


def test_forms_arrive_as_they_were(platform: Platform) -> None:
    """In pieces, in chunks, and too long."""
    place = urlsplit(platform.url)
    form = b"email=ada%40example.com&password=" + b"x" * 5000
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    whole = fetch(f"{platform.url}/login", "POST", form, headers)
    with contextlib.closing(HTTPConnection(str(place.hostname), place.port, timeout=10)) as client:
        client.putrequest("POST", "/login")
        client.putheader("Content-Length", str(len(form)))
        client.putheader("Content-Type", headers["Content-Type"])
        client.endheaders()
        for start in range(0, len(form), 1000):
            client.send(form[start : start + 1000])
        assert client.getresponse().status == whole.status == 400, "without the form's token"
    too_long = fetch(f"{platform.url}/login", "POST", b"x" * 100_000, headers)
    assert too_long.status == 413


def test_who_leaves_midway_harms_nobody(platform: Platform) -> None:
    place = urlsplit(platform.url)
    for _ in range(SLOW):
        with socket.create_connection((place.hostname, place.port), 10) as client:
            client.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nemail=")
    assert fetch(f"{platform.url}/login").status == 200
