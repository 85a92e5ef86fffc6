"""The API of a running platform, asked over the network."""

import json

import pytest

from tests.support.http import Api, fetch
from tests.support.platform import Platform, Project
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

RECORD = {
    "time_used": 0.0125,
    "created_at": "2019-05-15 08:00:00.123456",
    "path": "/users/7",
    "status_code": 200,
    "method": "GET",
    "endpoint": "users",
}


def send(dsn: str) -> int:
    """One request as the 2019 client reports it; the collector's status."""
    body = json.dumps(RECORD).encode()
    return fetch(dsn, "POST", body, {"Content-Type": "application/json"}).status


def test_a_project_made_over_the_api_receives_at_once(platform: Platform) -> None:
    platform.create_user()
    api = platform.api()
    headers = {**api.headers, "Content-Type": "application/json"}
    made = fetch(f"{api.base}/projects", "POST", b'{"name": "Shop"}', headers)
    assert made.status == 201, made.body
    shop = Project(made.json()["id"], "Shop", made.json()["dsn"], api)
    assert shop.dsn.startswith(f"{platform.url}/v1/collector/")
    assert send(shop.dsn) == 202

    window = {"start": "2019-05-15T08:00:00Z", "end": "2019-05-15T08:01:00Z"}
    wait_for(lambda: shop.get("summary", **window)["requests"], 20, "the request to be stored")
    (request,) = shop.requests(**window)
    assert (request["duration"], request["path"], request["status"]) == (12.5, "/users/7", 200)
    assert request["start"].startswith("2019-05-15T08:00:00.")


def test_what_the_server_itself_would_refuse_is_json_too(platform: Platform) -> None:
    base = f"{platform.url}/api/v1"
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/projects/a%0Ab/requests", 401),
        ("DELETE", "/projects", 405),
        ("GET", "/projects", 401),
    ):
        answer = fetch(base + path, method)
        assert answer.status == status
        assert answer.json()["error"]["message"]


def test_a_second_person_sees_nothing_of_the_first(project: Project, platform: Platform) -> None:
    platform.create_user("bob@example.com")
    bob: Api = platform.api("bob@example.com")
    assert bob.items("/projects") == []
    answer = fetch(f"{bob.base}/projects/{project.id}/summary", headers=bob.headers)
    assert answer.status == 404
    assert [one["id"] for one in project.api.items("/projects")] == [project.id]
