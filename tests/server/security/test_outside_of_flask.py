"""Live streams and the collector, which Flask does not answer: who may ask is the same law."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from flask_performance.server import vitals
from flask_performance.server.accounts.models import Role
from flask_performance.server.accounts.orm import changes
from flask_performance.server.accounts.permissions import Action, may
from flask_performance.server.app import _of_collector, _of_web, platform
from flask_performance.server.dashboard import open_view
from flask_performance.server.live.hub import LiveHub
from flask_performance.server.room import Room
from flask_performance.server.settings import Settings

from .test_headers import head_of
from .test_roles import role_of
from .world import STRANGER, VISITOR, WHO, World

#: Every address that Flask does not answer; `test_every_address_is_known` fails for a new one.
KNOWN = {
    "/v1", "/v1/{rest:path}", "/health", "/health/live", "/health/ready", "/metrics",
    "/projects/live", "/projects/{project}/live", "/projects/{project}/{page}/live",
}  # fmt: skip
PATIENCE = 30.0


def test_every_address_is_known(world: World) -> None:
    nothing: Any = object()
    hub = LiveHub(nothing, nothing, nothing)
    of_itself = vitals.routes(nothing, nothing, None, 0)
    routes = [*of_itself, *_of_collector(nothing), *_of_web(world.app, hub, Room())]
    assert {route.path for route in routes if isinstance(route, Route)} == KNOWN
    assert [route.path for route in routes if isinstance(route, Mount)] == [""]


async def first_message(app: Any, path: str, cookie: str) -> int:
    """The status of a live address; the reader leaves at once."""
    started = asyncio.Event()
    status = 0

    async def receive() -> dict[str, Any]:
        await started.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            started.set()

    scope = {
        "type": "http", "http_version": "1.1", "scheme": "http", "method": "GET", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    await asyncio.wait_for(app(scope, receive, send), PATIENCE)
    return status


def live(world: World) -> Starlette:
    hub = LiveHub(lambda *asked: open_view(world.app, *asked), lambda _project: 0, changes)
    return Starlette(
        routes=[
            Route("/projects/live", hub.endpoint),
            Route("/projects/{project}/live", hub.endpoint),
            Route("/projects/{project}/{page}/live", hub.endpoint),
        ]
    )


def cookie_of(world: World, who: str) -> str:
    cookie = world.browser(who).client.get_cookie("session")
    return f"session={cookie.value}" if cookie else ""


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("page", ["", "/requests"])
def test_a_project_is_live_for_who_sees_its_data(page: str, who: str, world: World) -> None:
    objects = world.objects(world.browser(who), role_of(who))
    path = f"/projects/{objects['project']}{page}/live"
    status = asyncio.run(first_message(live(world), path, cookie_of(world, who)))
    assert status == (200 if may(role_of(who), Action.SEE_DATA) else 403)


@pytest.mark.parametrize("who", WHO)
def test_the_list_is_live_for_who_is_logged_in(who: str, world: World) -> None:
    status = asyncio.run(first_message(live(world), "/projects/live", cookie_of(world, who)))
    assert status == (403 if who == VISITOR else 200)


def test_not_yours_looks_like_not_there(world: World) -> None:
    theirs = world.objects(world.browser(STRANGER), None)["project"]
    cookie = cookie_of(world, STRANGER)
    statuses = [
        asyncio.run(first_message(live(world), f"/projects/{project}/live", cookie))
        for project in (theirs, "0" * 16)
    ]
    assert statuses == [403, 403]


def test_a_token_opens_no_stream(world: World) -> None:
    owner = world.browser(Role.OWNER)
    objects = world.objects(owner, Role.OWNER)
    cookie = f"session={owner.token}"
    path = f"/projects/{objects['project']}/live"
    assert asyncio.run(first_message(live(world), path, cookie)) == 403


class TestTheKeyOfADsn:
    """It lets whoever holds it send, and nothing else."""

    def test_is_no_token_and_no_address(self, world: World) -> None:
        objects = world.objects(world.browser(Role.OWNER), Role.OWNER)
        visitor = world.browser(VISITOR)
        for prefix in ("Bearer ", "Basic ", ""):
            headers = {"Authorization": prefix + objects["dsn_key"]}
            assert visitor.client.get("/api/v1/projects", headers=headers).status_code == 401
        for path in ("/projects/{}", "/api/v1/projects/{}", "/invitations/{}", "/reset/{}"):
            answer = visitor.client.get(path.format(objects["dsn_key"]))
            assert answer.status_code in (302, 401, 404)
            assert objects["project_name"] not in answer.text

    def test_shows_nothing_of_its_project(self, tmp_path: Path) -> None:
        with platform(Settings(data=tmp_path)) as parts:
            status, _headers = head_of(parts.asgi, "GET", "/v1/collector/" + "0" * 32)
            assert status == 404
            for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
                status, _headers = head_of(parts.asgi, method, "/v1/collector/" + "0" * 32)
                assert status == 405
