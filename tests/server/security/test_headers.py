"""What every answer tells the browser to refuse, and what it may keep."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from flask_performance.server.accounts.models import Role
from flask_performance.server.app import platform
from flask_performance.server.dashboard.headers import SECURITY_HEADERS, secured
from flask_performance.server.settings import Settings

from .routes import API, PAGES, Row
from .test_roles import filled
from .world import VISITOR, World

PUBLIC = ("/static/",)


def check(headers: Headers) -> None:
    for name, value in SECURITY_HEADERS.items():
        assert headers[name] == value


def test_what_they_refuse() -> None:
    policy = dict(
        part.strip().split(" ", 1)
        for part in SECURITY_HEADERS["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in str(policy)
    assert set(policy) == {
        "default-src", "frame-ancestors", "object-src", "base-uri", "form-action",
    }  # fmt: skip
    assert SECURITY_HEADERS["X-Frame-Options"] == "DENY"
    assert SECURITY_HEADERS["X-Content-Type-Options"] == "nosniff"
    assert SECURITY_HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("row", PAGES, ids=str)
@pytest.mark.parametrize("who", [VISITOR, Role.OWNER])
def test_every_page_has_them_and_is_kept_by_nobody(row: Row, who: str, world: World) -> None:
    browser = world.browser(who, fresh=row.spoils)
    role = None if who == VISITOR else Role.OWNER
    path, form = filled(row, world.objects(browser, role))
    answer = browser.ask(row.method, path, form)
    check(answer.headers)
    if not path.startswith(PUBLIC):
        assert "no-store" in answer.headers["Cache-Control"]
    no_inline(answer)


def no_inline(answer: TestResponse) -> None:
    """Nothing in a page that the policy would stop."""
    if answer.mimetype != "text/html":
        return
    page = answer.text
    for forbidden in (" style=", "<style", " onclick=", " onload=", "javascript:"):
        assert forbidden not in page
    for tag in page.split("<script")[1:]:
        attributes = tag.split(">", 1)[0]
        assert "src=" in attributes or 'type="application/json"' in attributes, attributes


@pytest.mark.parametrize("row", API, ids=str)
def test_the_api_has_them_too(row: Row, world: World) -> None:
    owner = world.browser(Role.OWNER)
    path, body = filled(row, world.objects(owner, Role.OWNER))
    answer = owner.api(row.method, path, body or None)
    check(answer.headers)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/nothing", "/projects/0000000000000000", "/api/v1/nothing"])
def test_errors_have_them(path: str, world: World) -> None:
    answer = world.browser(Role.OWNER).client.get(path)
    assert answer.status_code in (401, 404)
    check(answer.headers)
    assert "no-store" in answer.headers["Cache-Control"]


#: What Flask does not answer, with the status: live streams, the collector, and their refusals.
OUTSIDE = (
    ("GET", "/projects/live", 403),
    ("GET", "/projects/0000000000000000/live", 403),
    ("POST", "/v1/collector/" + "0" * 32, 401),
    ("GET", "/v1/collector/" + "0" * 32, 404),
    ("GET", "/v1", 404),
    ("DELETE", "/projects/live", 405),
)


def head_of(app: Any, method: str, path: str, scheme: str = "http") -> tuple[int, Headers]:
    """Status and headers of an ASGI app's answer."""
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http", "http_version": "1.1", "scheme": scheme, "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], Headers([(k.decode(), v.decode()) for k, v in sent[0]["headers"]])


def test_every_answer_outside_of_flask_has_them(tmp_path: Path) -> None:
    with platform(Settings(data=tmp_path)) as parts:
        for method, path, status in OUTSIDE:
            found, headers = head_of(parts.asgi, method, path)
            assert found == status, path
            check(headers)


async def bare(_scope: Any, _receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"x")]}
    )
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("https", "scheme", "told"),
    [(False, "http", False), (True, "http", True), (False, "https", True)],
)
def test_https_is_to_stay(https: bool, scheme: str, told: bool) -> None:
    _status, headers = head_of(secured(bare, https=https), "GET", "/", scheme)
    assert ("strict-transport-security" in headers) is told


def test_what_an_answer_says_itself_stays() -> None:
    _status, headers = head_of(secured(bare, https=False), "GET", "/")
    assert headers["x-frame-options"] == "x"
