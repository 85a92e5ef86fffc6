"""What an open page hears."""

import json
import time

from flask_performance.server.dashboard import LiveView, open_view
from flask_performance.server.dashboard.pages.project import PANELS
from tests.support.waiting import wait_for

from .conftest import World


def view(world: World, path: str, query: str = "", email: str = "ada@example.com") -> LiveView:
    found = open_view(world.app, path, query, world.person(email).cookies)
    assert found is not None
    return found


def test_only_who_may_see_a_page_hears_it(world: World) -> None:
    cookies = world.person().cookies
    assert open_view(world.app, f"/projects/{world.mine}", "", cookies) is not None
    assert open_view(world.app, f"/projects/{world.theirs}", "", cookies) is None
    assert open_view(world.app, f"/projects/{world.mine}", "", "") is None
    assert open_view(world.app, f"/projects/{world.mine}", "", "session=forged") is None
    assert open_view(world.app, f"/projects/{world.mine}", "range=9", cookies) is None
    assert open_view(world.app, "/projects/new", "", cookies) is None


def test_equal_pages_have_equal_keys(world: World) -> None:
    path = f"/projects/{world.mine}"
    assert view(world, path, "range=1h").key == view(world, path, "range=1h&sort=-share").key
    assert view(world, path, "range=1h").key != view(world, path, "range=6h").key
    hash(view(world, path).key)


def test_a_project_is_a_pulse_until_its_first_request(world: World) -> None:
    project = view(world, f"/projects/{world.mine}")
    assert project.project_ids == (world.mine_id,)
    events = project.events()
    assert set(events) == {"pulse", "refusals"}
    assert json.loads(events["pulse"])["newest_us"] is None
    world.receive(2)
    events = project.events()
    assert set(events) == {"pulse", "refusals"} | {panel.name for panel in PANELS}
    assert json.loads(events["pulse"])["newest_us"] > 0


def test_events_are_the_panels_of_the_page(world: World) -> None:
    world.receive(2, operation="GET /books")
    path = f"/projects/{world.mine}"
    events = view(world, path, "range=5m").events()
    page = world.person().get(f"{path}?range=5m").text
    assert events["ledger"] in page
    assert events["requests"] in page
    counts = json.loads(events["throughput"])["counts"]
    assert sum(counts["success"]) == 2


def test_unchanged_panels_say_the_same_again(world: World) -> None:
    world.receive(2)
    project = view(world, f"/projects/{world.mine}")
    first, second = project.events(), project.events()
    assert first["requests"] == second["requests"]
    world.receive(1)
    assert project.events()["requests"] != first["requests"]


def test_no_news_is_left_behind(world: World) -> None:
    project = view(world, f"/projects/{world.mine}", "range=1h")
    for number in range(1, 4):
        world.receive(1, operation=f"GET /{number}")
        events = project.events()
        assert f">/{number}<" in events["requests"], "single requests never wait"
        deadline = time.monotonic() + 5
        while project.behind and time.monotonic() < deadline:
            events = project.events()
        assert f"?range=1h&amp;method=GET&amp;route=%2F{number}" in events["operations"]


def test_a_bar_that_waits_for_its_step_is_news(world: World) -> None:
    project = view(world, f"/projects/{world.mine}", "range=5m")
    world.receive(1)
    deadline = time.monotonic() + 10
    drawn = False
    while not drawn:  # nobody sends anything more
        assert time.monotonic() < deadline
        chart = json.loads(project.events()["throughput"])
        place = chart["counts"]["success"].index(1)
        drawn = chart["seconds"][place] is not None
        assert drawn or project.behind
    # Once the pace allows another look there is nothing left to wait for.
    wait_for(lambda: bool(project.events()) and not project.behind, 5, "the view to come to rest")


def test_a_long_range_is_not_asked_all_the_time(world: World) -> None:
    world.receive(1)
    project = view(world, f"/projects/{world.mine}", "range=30d")
    first = project.events()
    world.receive(1)
    second = project.events()
    assert second["operations"] == first["operations"]
    assert second["requests"] != first["requests"]


def test_the_list_hears_of_all_its_projects(world: World) -> None:
    world.receive(4)
    projects = view(world, "/projects")
    assert projects.project_ids == (world.mine_id,)
    assert "steady" in projects.events()["projects"]
