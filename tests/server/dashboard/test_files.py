"""What panels show, as files over HTTP."""

import csv
import io
import json
import re
import time

import pytest

from flask_performance.server.dashboard.pages import files
from tests.server.store.builders import block

from .conftest import Person, World


def rows_of(person: Person, path: str) -> list[dict[str, str]]:
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def fill(world: World) -> None:
    world.receive(3, operation="GET /books", duration_us=2_500, consumer="ada", cpu_us=100)
    world.receive(1, operation="POST /books", duration_us=7_500, status=503, consumer="=1+1")


@pytest.mark.parametrize("name", sorted(files.TABLES))
def test_every_panel_is_a_file_and_both_kinds_say_the_same(world: World, name: str) -> None:
    fill(world)
    world.receive(1, operation="GET ", status=404, path="/nowhere")
    ada = world.person()
    path = f"/projects/{world.mine}/files/{name}"
    start, end = (
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + by)) for by in (-600, 60)
    )
    query = f"?start={start}&end={end}"
    objects = json.loads(ada.get(f"{path}.json{query}").text)
    assert objects
    found = rows_of(ada, f"{path}.csv{query}")
    assert [list(row) for row in found] == [list(row) for row in objects]
    for row, values in zip(found, objects, strict=True):
        texts = ["" if value is None else str(value) for value in values.values()]
        assert [text.lstrip("'") for text in row.values()] == texts


@pytest.mark.parametrize("name", ["throughput", "latency", "heatmap", "distribution", "statuses"])
def test_the_requests_of_a_file_are_those_of_the_page(world: World, name: str) -> None:
    fill(world)
    ada = world.person()
    found = rows_of(ada, f"/projects/{world.mine}/files/{name}.csv")
    assert sum(int(row["requests"]) for row in found) == 4
    failed = rows_of(ada, f"/projects/{world.mine}/files/{name}.csv?status=5xx")
    assert sum(int(row["requests"]) for row in failed) == 1


def test_operations_come_in_the_order_and_with_the_search_of_the_page(world: World) -> None:
    fill(world)
    path = f"/projects/{world.mine}/files/operations.csv"
    ada = world.person()
    found = rows_of(ada, f"{path}?sort=requests")
    assert [(row["method"], row["requests"]) for row in found] == [("POST", "1"), ("GET", "3")]
    assert [float(row["p50_ms"]) for row in found] == pytest.approx([7.5, 2.5], rel=0.01)
    assert sum(float(row["share"]) for row in found) == pytest.approx(1)
    assert [row["method"] for row in rows_of(ada, f"{path}?q=post")] == ["POST"]


def test_no_name_from_outside_is_a_formula(world: World) -> None:
    fill(world)
    found = rows_of(world.person(), f"/projects/{world.mine}/files/consumers.csv")
    assert {row["consumer"] for row in found} == {"ada", "'=1+1"}


def test_a_file_is_named_after_project_panel_and_time(world: World) -> None:
    query = "?start=2026-01-31T18:00:00Z&end=2026-01-31T19:00:00Z"
    for path, name in (("files/latency", "latency"), ("requests", "requests")):
        answer = world.person().get(f"/projects/{world.mine}/{path}.csv{query}")
        assert answer.headers["Content-Disposition"] == (
            f'attachment; filename="shop-{name}-20260131T180000Z-20260131T190000Z.csv"'
        )
        assert answer.headers["Cache-Control"] == "no-store"


def test_nobody_elses_files_and_none_that_are_not(world: World) -> None:
    ada = world.person()
    assert ada.get(f"/projects/{world.theirs}/files/operations.csv").status_code == 404
    assert ada.get(f"/projects/{world.mine}/files/nothing.csv").status_code == 404
    assert ada.get(f"/projects/{world.mine}/files/operations.xml").status_code == 404
    assert ada.get(f"/projects/{world.mine}/files/operations.csv?range=9").status_code == 400


@pytest.mark.parametrize("page", ["", "/operations?method=GET&route=/books", "/requests"])
def test_every_table_and_chart_of_a_page_offers_both(world: World, page: str) -> None:
    fill(world)
    ada = world.person()
    text = ada.get(f"/projects/{world.mine}{page}").text
    for panel in set(re.findall(r'id="panel-(\w+)"', text)) - {"quota"}:
        part = text.partition(f'id="panel-{panel}"')[2].partition('id="panel-')[0]
        for kind in ("csv", "json"):
            links = re.findall(rf'href="([^"]+\.{kind}[^"]*)"[^>]* download', part)
            assert links, (panel, kind)
            assert ada.get(links[0].replace("&amp;", "&")).status_code == 200


def test_a_young_project_has_the_rate_since_its_first_request(world: World) -> None:
    now_us = time.time_ns() // 1000
    rows: list[dict[str, object]] = [
        {"start_us": now_us - 100_000_000 + place} for place in range(50)
    ]
    made = block(rows, project_id=world.mine_id, received_us=now_us)
    world.store.append(made, world.store.position() + 1)
    [row] = rows_of(world.person(), f"/projects/{world.mine}/files/operations.csv?range=24h")
    assert float(row["per_second"]) == pytest.approx(0.5, rel=0.2)
