"""Who asks, where reverse proxies stand in front."""

import asyncio
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from flask_performance.server.proxies import behind
from tests.support.asgi import call
from tests.support.http import fetch
from tests.support.platform import Platform, running_platform


class Seen:
    """An app that remembers what it was told about the client."""

    def __init__(self) -> None:
        self.client = ""
        self.scheme = ""

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.client, self.scheme = scope["client"][0], scope["scheme"]
        length = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b""})


def seen(proxies: int, **headers: str) -> tuple[str, str]:
    """Address and scheme as the app behind so many proxies is told."""
    app = Seen()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    asyncio.run(call(behind(proxies, app), "/", "GET", headers=names))
    return app.client, app.scheme


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.7", "127.0.0.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),  # the left one: the client's own invention
        (2, "6.6.6.6, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (2, "203.0.113.7", "203.0.113.7"),
        (1, "", "127.0.0.1"),
        (1, " , ", "127.0.0.1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address(proxies: int, forwarded: str, address: str) -> None:
    assert seen(proxies, X_Forwarded_For=forwarded)[0] == address


@pytest.mark.parametrize(
    ("proxies", "forwarded", "scheme"),
    [
        (0, "https", "http"),
        (1, "https", "https"),
        (1, "http, https", "https"),
        (2, "https, http", "https"),
        (2, "https", "https"),  # the inner one passed it on instead of appending its own
        (1, "javascript", "http"),
    ],
)
def test_the_scheme(proxies: int, forwarded: str, scheme: str) -> None:
    assert seen(proxies, X_Forwarded_Proto=forwarded)[1] == scheme


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    data = tmp_path_factory.mktemp("proxied") / "data"
    with running_platform(data, FLASK_PERFORMANCE_PROXIES="1") as platform:
        yield platform


@pytest.mark.slow
class TestServer:
    """`serve` behind a proxy that speaks https to the world."""

    HEADERS: Final = {
        "Host": "metrics.example.com",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.7",
    }

    def test_cookies_are_for_https_alone(self, server: Platform) -> None:
        cookie = fetch(f"{server.url}/login", headers=self.HEADERS).headers["Set-Cookie"]
        assert "; Secure" in cookie
        plain = fetch(f"{server.url}/login").headers["Set-Cookie"]
        assert "; Secure" not in plain

    def test_a_dsn_names_the_address_that_was_asked(self, server: Platform) -> None:
        server.create_user()
        path = urlsplit(server.create_project()).path
        answer = fetch(server.url + path, headers={**self.HEADERS, "Accept": "text/html"})
        assert f"https://metrics.example.com{path}" in answer.body.decode()
