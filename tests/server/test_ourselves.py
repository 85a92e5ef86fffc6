"""The platform records itself: everything once, no secrets, no loop, and only if it shall."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from flask_performance.server.ourselves import ToOurCollector, without_secrets
from flask_performance.transport import TransportError
from tests.support.http import fetch
from tests.support.platform import Platform
from tests.support.waiting import wait_for

SECRET = "a-secret-that-opens-a-team"


@pytest.mark.parametrize(
    ("route", "path", "shown"),
    [
        ("/invitations/<secret>", f"/invitations/{SECRET}", "/invitations/<secret>"),
        ("/login", "/login", "/login"),
        (None, "/wp-login.php", "/wp-login.php"),
        (None, f"/invitations/{SECRET}/x", "/invitations/…"),
        (None, "/", "/"),
    ],
)
def test_a_path_is_shown_by_its_rule(route: str | None, path: str, shown: str) -> None:
    assert without_secrets(SimpleNamespace(route=route, path=path)).path == shown


class Loop:
    """An event loop in a thread, as the server's is one for the extension's thread."""

    def __enter__(self) -> asyncio.AbstractEventLoop:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        return self.loop

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


async def busy(scope: Any, receive: Any, send: Any) -> None:
    assert scope["path"] == "/v1/collector/abc"
    assert (await receive())["body"] == b"batch"
    headers = [(b"content-length", b"16"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"error": "busy"}'})


def test_the_collectors_answer_is_the_answer() -> None:
    with Loop() as loop:
        answer = ToOurCollector(busy, "abc", loop).send(b"batch")
    assert (answer.status, answer.retry_after, answer.sentence) == (503, 5.0, "busy")


def test_after_the_end_there_is_no_answer() -> None:
    with Loop() as loop:
        transport = ToOurCollector(busy, "abc", loop)
    with pytest.raises(TransportError, match="ended"):
        transport.send(b"batch")


def own(platform: Platform) -> list[dict[str, Any]]:
    return [one for one in platform.api().items("/projects") if one["name"] == "This server"]


@pytest.mark.slow
def test_the_platform_records_itself(platform: Platform) -> None:
    platform.create_user()
    assert own(platform) == []
    assert platform.stop() == 0
    platform.start(METRIC_ENABLED="false")  # which is meant for apps
    (project,) = own(platform)
    api = platform.api()

    def routes() -> dict[str, int]:
        found = api.items(f"/projects/{project['id']}/operations")
        return {one["route"]: one["requests"] for one in found}

    before = wait_for(lambda: routes().get("/api/v1/projects"), 20, "the API's own requests")
    for path, status in {
        "/login": 200, f"/invitations/{SECRET}": 404, "/wp-login.php": 404, "/static/icon.svg": 200,
        "/health": 200, "/metrics": 200,
    }.items():  # fmt: skip
        assert fetch(f"{platform.url}{path}").status == status, path
    assert fetch(f"{platform.url}/v1/collector/{'0' * 32}", "POST", b"{}").status == 401
    wait_for(lambda: routes().get("/invitations/<secret>"), 20, "the visitor's requests")
    listed = api.items(f"/projects/{project['id']}/requests", limit=1000)
    paths = [one["path"] for one in listed]
    assert paths.count("/login") == paths.count("/wp-login.php") == 1
    assert not [path for path in paths if SECRET in path or project["id"] in path]
    assert not {"/static/icon.svg", "/health", "/metrics"} & set(paths)
    assert not [path for path in paths if path.startswith("/v1")]
    assert before >= 1
    assert platform.stop() == 0
    platform.start()
    (again,) = own(platform)
    assert again["id"] == project["id"]
    ledger = api.get(f"/projects/{project['id']}/ledger")
    assert ledger["lost"] == 0
    assert ledger["dropped"]["ignored"] >= 1
    assert platform.stop() == 0


@pytest.mark.slow
def test_it_can_be_turned_off(platform: Platform) -> None:
    platform.create_user()
    assert platform.stop() == 0
    platform.start(FLASK_PERFORMANCE_SELF="off")
    assert own(platform) == []
