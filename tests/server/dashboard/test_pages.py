"""The pages over HTTP: who may see what, what they say, and how they refuse."""

import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from flask_performance.server.dashboard import open_view
from flask_performance.server.settings import Settings
from flask_performance.server.store.base import StoreUnavailableError
from tests.server.store.builders import block

from .conftest import World

PAGES = ["", "/setup"]


@pytest.mark.parametrize("page", ["/projects", "/projects/new", "/teams/new", "/projects/{mine}"])
def test_a_visitor_is_asked_to_log_in(world: World, page: str) -> None:
    answer = world.app.test_client().get(page.format(mine=world.mine))
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=")


@pytest.mark.parametrize("page", PAGES)
def test_another_teams_project_looks_like_none(world: World, page: str) -> None:
    ada = world.person()
    theirs = ada.get(f"/projects/{world.theirs}{page}")
    none = ada.get(f"/projects/{'0' * 16}{page}")
    assert theirs.status_code == none.status_code == 404
    strip = re.compile(r'value="[^"]+"')
    assert strip.sub("", theirs.text) == strip.sub("", none.text)


def test_home_leads_to_the_projects_or_the_log_in(world: World) -> None:
    assert world.app.test_client().get("/").location == "/login"
    assert world.person().get("/").location == "/projects"


def test_a_new_project_waits_and_then_is_the_dashboard(world: World) -> None:
    ada = world.person()
    waiting = ada.get(f"/projects/{world.mine}").text
    assert "Waiting for the first request" in waiting
    assert re.search(r"http://localhost/v1/collector/[0-9a-f]{32}", waiting)
    world.receive(3, operation="GET /books/<int:id>")
    overview = ada.get(f"/projects/{world.mine}").text
    assert "Waiting" not in overview
    assert "<b>3</b> seen · <b>3</b> stored" in overview
    assert '/books/<span class="parameter">&lt;int:id&gt;</span>' in overview


def test_the_ledger_names_processes_that_fell_silent(world: World) -> None:
    world.receive(1)
    path = f"/projects/{world.mine}"
    assert "goodbye" not in world.person().get(path).text
    long_ago_us = time.time_ns() // 1000 - 10 * 60 * 1_000_000
    world.store.append(
        block([{}], project_id=world.mine_id, received_us=long_ago_us, wire_id="c" * 32),
        world.store.position() + 1,
    )
    assert "1 process is silent without a goodbye" in world.person().get(path).text


def test_names_from_outside_are_only_text(world: World) -> None:
    evil = "/<script>alert(1)</script>"
    world.receive(1, operation=f"GET {evil}", path="/</script><b>", exception="a.<i>")
    page = world.person().get(f"/projects/{world.mine}").text
    assert "<script>alert" not in page
    assert "</script><b>" not in page
    assert "a.<i>" not in page
    for data in re.findall(r'<script type="application/json">(.*?)</script>', page):
        assert json.loads(data)["start"]


def test_a_url_that_means_nothing_says_what_is_wrong(world: World) -> None:
    answer = world.person().get(f"/projects/{world.mine}?range=9")
    assert answer.status_code == 400
    assert "It is one of 5m, 15m" in answer.text


ROWS = 'class="column-operation"><a'


def many(world: World, count: int) -> None:
    """So many operations, each slower than the one after it."""
    rows = [
        {"operation": f"GET /{number}", "duration_us": 9_000 - number} for number in range(count)
    ]
    now_us = time.time_ns() // 1000
    made = block(
        [{"start_us": now_us - 2_000_000, **row} for row in rows],
        project_id=world.mine_id, received_us=now_us,
    )  # fmt: skip
    world.store.append(made, world.store.position() + 1)


def test_every_operation_is_listed_on_request(world: World) -> None:
    many(world, 260)
    ada = world.person()
    path = f"/projects/{world.mine}"
    some = ada.get(path).text
    assert "Show all 260 operations" in some
    assert some.count(ROWS) == 50
    every = ada.get(f"{path}?all=1").text
    assert every.count(ROWS) == 200
    assert "1 to 200 of 260 operations" in every
    assert "?all=1&amp;page=2" in every
    rest = ada.get(f"{path}?all=1&page=2").text
    assert rest.count(ROWS) == 60
    assert f'href="{path}?range=1h&amp;all=1"' in rest
    assert "Back to the first" in ada.get(f"{path}?all=1&page=3").text
    assert ada.get(f"{path}?page=0").status_code == 400


def test_a_search_finds_operations_and_stays_in_every_link(world: World) -> None:
    many(world, 30)
    path = f"/projects/{world.mine}"
    ada = world.person()
    found = ada.get(f"{path}?q=GET+/2").text
    assert found.count(ROWS) == 11
    assert "11 operations that fit, of 30" in found
    assert "?range=1h&amp;q=GET+%2F2" in found
    assert "q=GET" not in re.findall(r'class="row-link" href="([^"]+)"', found)[0]
    assert "None of the 30 operations has “nowhere”" in ada.get(f"{path}?q=nowhere").text


def test_who_types_a_search_gets_its_panel_alone(world: World) -> None:
    many(world, 3)
    path = f"/projects/{world.mine}?range=1h&q=%2F1"
    ada = world.person()
    answer = ada.client.get(path, headers={"HX-Request": "true", "HX-Target": "panel-operations"})
    assert answer.text.startswith('<div id="panel-operations"')
    assert answer.text.count(ROWS) == 1
    assert answer.headers["HX-Replace-Url"] == path
    assert "HX-Target" in answer.headers["Vary"]


def test_a_filtered_operation_keeps_its_share_of_the_whole(world: World) -> None:
    world.receive(1, operation="GET /slow", duration_us=3000)
    world.receive(1, operation="GET /fast", duration_us=1000)
    page = world.person().get(f"/projects/{world.mine}?method=GET&route=/slow").text
    assert '<span class="n">75.0</span>' in page
    assert page.count('class="column-operation"><a') == 1


def test_a_project_in_a_new_team(world: World) -> None:
    ada = world.person()
    answer = ada.post("/projects/new", name="Blog", team="new", new_team="Writers")
    assert answer.status_code == 302
    assert "Writers" in ada.get(answer.location).text
    again = ada.post("/projects/new", name="News", team="new", new_team="Writers")
    assert again.status_code == 422
    assert "already have a team named" in again.text


def test_a_team_leads_to_its_first_project(world: World) -> None:
    ada = world.person()
    page = ada.get(ada.post("/teams/new", name="Writers").location).text
    match = re.search(r'href="(/projects/new\?team=[0-9a-f]{16})"', page)
    assert match
    form = ada.get(match[1]).text
    assert re.search(r'<option selected value="[0-9a-f]{16}">Writers', form)


def test_nobody_adds_a_project_to_another_team(world: World) -> None:
    grace = world.person("grace@example.com")
    match = re.search(r'<option[^>]*value="([0-9a-f]{16})"', grace.get("/projects/new").text)
    assert match
    answer = world.person().post("/projects/new", name="Blog", team=match[1])
    assert answer.status_code == 422
    assert "Blog" not in grace.get("/projects").text


def test_a_form_without_its_token_says_so_and_changes_nothing(world: World) -> None:
    ada = world.person()
    answer = ada.client.post("/teams/new", data={"name": "Writers"})
    assert answer.status_code == 400
    assert "This form is out of date" in answer.text
    assert "Writers" not in ada.get("/projects/new").text


def test_a_failure_is_a_page_that_helps(world: World) -> None:
    ada = world.person()
    world.store.close()
    for path in ("/projects", f"/projects/{world.mine}", "/projects.csv"):
        answer = ada.get(path)
        assert answer.status_code == 503
        assert "The event store does not answer" in answer.text
        assert "none is lost" in answer.text


def test_a_question_that_is_too_much_leaves_the_rest_of_the_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object) -> None:
        raise StoreUnavailableError("Out of Memory")

    world.receive(1)
    ada = world.person()
    path = f"/projects/{world.mine}"
    view = open_view(world.app, path, "", ada.cookies)
    assert view is not None
    monkeypatch.setattr(world.store, "heatmap", too_much)
    monkeypatch.setattr(world.store, "operations", too_much)
    answer = ada.get(path)
    assert answer.status_code == 200
    away = re.findall(
        r'id="panel-(\w+)" data-live>\s*<p class="empty">This part has no', answer.text
    )
    assert {"heatmap", "operations"} <= set(away)
    assert "<b>1</b> seen" in answer.text
    events = view.events()
    assert "heatmap" not in events
    assert "This part has no answer just now" in events["operations"]


def test_the_projects_are_a_file_too(world: World) -> None:
    world.receive(8, operation="GET /books")
    world.receive(2, operation="GET /pay", status=500)
    answer = world.person().get("/projects.csv")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="all-projects-')
    names, shop = answer.text.splitlines()
    assert names.startswith("project,team,state,reason,requests,per_second")
    assert shop.startswith(
        "Shop,Team,failing,2 of 10 requests failed: 20.0 %; failing from 5.00 %.,10"
    )
    assert shop.endswith("GET,/pay")


def test_a_failure_of_the_accounts_is_a_page_too(world: World, tmp_path: Path) -> None:
    ada = world.person()
    with closing(sqlite3.connect(Settings(data=tmp_path).accounts_database)) as database:
        database.execute("drop table members")
        database.execute("drop table tokens")
        database.execute("drop table users")
    answer = ada.get("/projects")
    assert answer.status_code == 500
    assert "Nothing that was recorded is lost" in answer.text


def test_machines_keep_their_own_answers(world: World) -> None:
    answer = world.app.test_client().get("/api/v1/nothing")
    assert answer.status_code == 404
    assert "stylesheet" not in answer.text


def test_pages_refuse_what_they_do_not_need(world: World) -> None:
    answer = world.person().get("/projects")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer.headers["Cache-Control"]
    assert not re.search(r"<[^>]* (style|onclick|onload)=", answer.text)


def test_built_files_are_kept_for_ever_and_come_compressed(world: World) -> None:
    client = world.app.test_client()
    match = re.search(r'src="(/static/assets/[^"]+\.js)"', client.get("/login").text)
    assert match
    plain = client.get(match[1], buffered=True)
    assert "immutable" in plain.headers["Cache-Control"]
    packed = client.get(match[1], headers={"Accept-Encoding": "gzip"}, buffered=True)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.mimetype == plain.mimetype == "text/javascript"
    assert len(packed.data) < len(plain.data) / 2
    assert client.get("/static/../__init__.py").status_code == 404
    assert client.get("/static/.vite/manifest.json.gz").status_code == 404
