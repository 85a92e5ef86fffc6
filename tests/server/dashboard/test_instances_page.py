"""The pages of instances and routes: who lives and how busy, what is declared and never called."""

import json
import re
import time
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from flask_performance.server.dashboard.live import open_view
from flask_performance.server.dashboard.panels import monitoring, saturation
from flask_performance.server.dashboard.panels.saturation import Workers, advice
from flask_performance.server.store.base import SECOND_US
from flask_performance.server.store.block import Block
from tests.server.store.builders import block
from tests.server.store.contract_processes import declares, said

from .conftest import Person, World
from .test_operation_page import panel, words


def now_us() -> int:
    return time.time_ns() // 1000


def speak(
    world: World, name: str, ago: float = 0, requests: int = 1, number: int = 1, **values: int
) -> None:
    """A process speaks, so many seconds ago, about what it used."""
    at_us = now_us() - int(ago * SECOND_US)
    made = block(
        [{"start_us": at_us - 1000}] * requests, project_id=world.mine_id, wire_id=name,
        number=number, received_us=at_us, sent_total=requests, final=bool(values.pop("final", 0)),
    )  # fmt: skip
    pid = values.pop("pid", 7)
    key = changed(
        made.instances[0], host="web-1", pid=pid, release="2026.11", python="3.13.1", flask="3.1.2"
    )
    append(world, said(replace(made, instances=[key]), **values))


def append(world: World, made: Block) -> None:
    world.store.append(made, world.store.position() + 1)


def page(person: Person, world: World, path: str) -> str:
    answer = person.get(f"/projects/{world.mine}{path}")
    assert answer.status_code == 200, answer.text
    return answer.text


def rows(text: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr id=.*?</tr>", text, re.DOTALL)]


def test_processes_are_told_apart_in_words(world: World) -> None:
    beat = 120 * SECOND_US
    for number, ago in ((1, 60), (2, 1)):
        speak(
            world, "serving", ago, number=number, pid=1, beat_us=beat, busy_us=number * 20_000_000,
            cpu_us=number * 5_000_000, memory_bytes=50_000_000 + number, threads=9, concurrent=1,
        )  # fmt: skip
    speak(world, "idle", 30, requests=0, pid=2, beat_us=beat, memory_bytes=40_000_000)
    speak(world, "gone", 600, pid=3, beat_us=beat)
    speak(world, "ended", 400, pid=4, beat_us=beat, final=1)
    text = panel(page(world.person(), world, "/instances"), "instances")
    first, second, third, fourth = rows(text)
    assert re.search(r"web-1 pid 1 .* serving .*3\d\.\d .*8\.\d+ 50\.0 – ", first)
    assert "production · 2026.11 · Python 3.13.1, Flask 3.1.2" in first
    assert re.search(r"web-1 pid 2 .* idle .*40\.0", second)
    assert "pid 3" in third
    assert "gone" in third
    assert "pid 4" in fourth
    assert "ended" in fourth
    assert "killed, frozen or cut off" in text
    assert "<b>2</b> living of 4 processes" in text
    sorted_text = page(world.person(), world, "/instances?sort=-memory")
    assert [re.findall(r"pid (\d)", row)[0] for row in rows(sorted_text)][:2] == ["1", "2"]


def test_an_instance_leads_to_its_requests(world: World) -> None:
    speak(world, "mine", requests=3, busy_us=1)
    world.receive(5)
    ada = world.person()
    text = panel(page(ada, world, "/instances"), "instances")
    hrefs = re.findall(r'class="row-link" href="([^"]+)"', text)
    mine = next(href for href in hrefs if "instance=mine" in href)
    assert "<b>3</b> in this time" in ada.get(mine.replace("&amp;", "&")).text


def test_a_client_that_says_nothing_of_its_process_is_named(world: World) -> None:
    world.receive(2)
    text = page(world.person(), world, "/instances")
    assert "Their client says nothing of memory and load. Update the app" in text
    assert "is not known yet" in panel(text, "saturation")
    assert "No process has measured it" in panel(text, "monitoring")


def test_a_time_without_processes_says_what_to_do(world: World) -> None:
    world.receive(1)
    text = page(
        world.person(), world, "/instances?start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z"
    )
    assert "No process was heard in this time. Choose a longer range above" in text


WORKERS = Workers(
    host="web-1", environment=None, number=4, busy=0.92, cpu=3.0, computing=0.8,
    memory_bytes=400_000_000, wait_us=180_000, slots=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "tone", "said"),
    [
        ({}, "bad", "All 4 workers of web-1 were busy 92 % of the time and requests waited 180 ms"),
        ({}, "bad", " at p95: add workers. They compute most of that time"),
        ({"computing": 0.1}, "bad", "so threads would do, too"),
        ({"wait_us": 0}, "notice", "add workers before requests have to wait"),
        ({"wait_us": None}, "notice", "a proxy that sets X-Request-Start"),
        ({"busy": 0.3}, "notice", "though they had room: look at what stands in front of them"),
        ({"busy": 0.5, "wait_us": 0}, "good", "enough for now"),
        ({"busy": 0.02, "wait_us": 0}, "quiet", "1 would do and free some 300 MB"),
        ({"busy": 0.02, "wait_us": 0, "number": 1}, "good", "The only worker of web-1 was busy"),
        ({"busy": 0.001, "number": 2, "wait_us": None}, "good", "Both workers of web-1 were busy "),
        ({"busy": 0.001, "number": 2, "wait_us": None}, "good", "busy less than 1 %"),
        ({"busy": None}, "quiet", "is not known yet"),
    ],
)
def test_advice_follows_from_what_was_seen(
    changes: dict[str, object], tone: str, said: str
) -> None:
    told = advice(replace(WORKERS, **changes))  # type: ignore[arg-type]
    assert told.tone == tone
    assert said in told.words


def test_apps_in_one_process_are_one_worker(world: World) -> None:
    for name in ("front", "back"):
        for number, ago in ((1, 60), (2, 1)):
            speak(
                world, name, ago, number=number, pid=5, busy_us=number * 20_000_000,
                memory_bytes=50_000_000, cpu_us=number * 1_000_000, concurrent=1,
            )  # fmt: skip
    text = panel(page(world.person(), world, "/instances"), "saturation")
    assert re.search(r"The only worker of web-1 was busy 6\d % of the time", words(text))


def test_what_monitoring_costs_is_told(world: World) -> None:
    for number, ago in ((1, 50), (2, 0)):
        speak(
            world, "a", ago, number=number, request_ns=1400, sender_us=number * 100_000, busy_us=1
        )
    told = words(panel(page(world.person(), world, "/instances"), "monitoring"))
    assert re.search(r"Added to a request 1\.40 µs 0\.140 % of a mean response", told)
    assert re.search(r"Sending, per process 0\.(19|20)\d % of a CPU", told)
    assert monitoring.facts([], None) == []


def test_nobody_living_is_said(world: World) -> None:
    speak(world, "a", 400, busy_us=1)
    assert "No process lives" in panel(page(world.person(), world, "/instances"), "saturation")
    assert saturation.groups([], 0, {}) == []


def with_routes(world: World) -> None:
    at_us = now_us()
    made = block(
        [{"start_us": at_us - 1000, "operation": "GET /books/<int:id>"}] * 4,
        project_id=world.mine_id, received_us=at_us,
    )  # fmt: skip
    append(
        world,
        declares(
            made, "GET /books/<int:id>", "POST /books/<int:id>", "GET /static/<path:filename>"
        ),
    )


def test_every_declared_route_is_listed_and_the_never_called_marked(world: World) -> None:
    with_routes(world)
    ada = world.person()
    text = page(ada, world, "/routes")
    listed = rows(text)
    assert len(listed) == 3
    assert re.search(r"GET /books/ ?<int:id>.* 4 ", listed[0])
    assert "never called" not in listed[0]
    assert all("never called" in row for row in listed[1:])
    never = page(ada, world, "/routes?called=never")
    assert len(rows(never)) == 2
    searched = page(ada, world, "/routes?q=post+books")
    assert len(rows(searched)) == 1
    by_count = rows(page(ada, world, "/routes?sort=-requests"))
    assert "4" in by_count[0]
    assert "No route has “nowhere”" in page(ada, world, "/routes?q=nowhere")
    assert "No route is of this kind" in page(ada, world, "/routes?called=quiet")


def test_an_app_that_tells_no_routes_is_helped(world: World) -> None:
    world.receive(1, operation="GET /old")
    text = page(world.person(), world, "/routes")
    assert "No process has told its routes yet" in text
    assert "not declared" in text


def test_a_kind_of_route_that_is_none_is_refused(world: World) -> None:
    world.receive(1)
    answer = world.person().get(f"/projects/{world.mine}/routes?called=often")
    assert answer.status_code == 400
    assert "called, quiet, never" in answer.text


def test_both_pages_hand_out_their_tables(world: World) -> None:
    with_routes(world)
    speak(world, "a", busy_us=1, memory_bytes=5)
    ada = world.person()
    files = {
        name: json.loads(ada.get(f"/projects/{world.mine}/files/{name}.json").text)
        for name in ("routes", "instances")
    }
    books = [one for one in files["routes"] if one["route"].startswith("/books")]
    assert [(one["method"], one["called"], one["declared"]) for one in books] == [
        ("GET", "called", True), ("POST", "never", True),
    ]  # fmt: skip
    assert {one["memory_bytes"] for one in files["instances"]} == {None, 5}
    assert "state" in ada.get(f"/projects/{world.mine}/files/instances.csv").text


@pytest.mark.parametrize("path", ["/instances", "/routes"])
def test_both_pages_are_for_members_and_live(world: World, path: str) -> None:
    ada = world.person()
    assert ada.get(f"/projects/{world.mine}{path}").status_code == 302  # nothing came yet
    with_routes(world)
    assert world.app.test_client().get(f"/projects/{world.mine}{path}").status_code == 302
    assert world.person("grace@example.com").get(f"/projects/{world.mine}{path}").status_code == 404
    view = open_view(world.app, f"/projects/{world.mine}{path}", "range=1h", ada.cookies)
    assert view is not None
    name = path[1:]
    assert f'id="panel-{name}"' in view.events()[name]
