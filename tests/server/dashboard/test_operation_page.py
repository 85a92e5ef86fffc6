"""The page of one operation over HTTP: only its requests, where their time goes, and who asked."""

import re
import time
from collections import Counter
from html import unescape

import pytest

from flask_performance.server.dashboard.panels import costs, distribution
from flask_performance.server.dashboard.panels.heatmap import Bands
from flask_performance.server.store.base import Spread, Stats
from tests.server.store.builders import block
from tests.server.store.contract_processes import of_release

from .conftest import Person, World


def page(person: Person, world: World, query: str = "method=GET&route=/slow") -> str:
    answer = person.get(f"/projects/{world.mine}/operations?{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def panel(text: str, name: str) -> str:
    return text.split(f'id="panel-{name}"')[1].split("</section>")[0]


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def test_the_table_of_operations_leads_to_the_page_of_each(world: World) -> None:
    world.receive(3, operation="GET /books/<int:id>")
    world.receive(1, operation="GET ")
    ada = world.person()
    overview = ada.get(f"/projects/{world.mine}?range=1h").text
    links = [
        unescape(href)
        for href in re.findall(r'column-operation"><a class="row-link" href="([^"]+)"', overview)
    ]
    assert links == [
        f"/projects/{world.mine}/operations?range=1h&method=GET&route=%2Fbooks%2F%3Cint%3Aid%3E",
        f"/projects/{world.mine}/operations?range=1h&method=GET&route=",
    ]
    matched, unmatched = (ada.get(link).text for link in links)
    assert '/books/<span class="parameter">&lt;int:id&gt;</span></span></h1>' in matched
    assert "<b>3</b>" in panel(matched, "throughput")
    assert "no route matched</span></span></h1>" in unmatched
    assert "<b>1</b>" in panel(unmatched, "throughput")


def test_a_page_has_the_requests_of_its_operation_alone(world: World) -> None:
    world.receive(40, operation="GET /slow", path="/slow", duration_us=2_000)
    world.receive(9, operation="GET /slow", path="/slow", duration_us=80_000, status=503)
    world.receive(1, operation="GET /slow", path="/slow", outcome=1)
    world.receive(30, operation="POST /slow", path="/posted", duration_us=999_000)
    text = page(world.person(), world)
    assert "/posted" not in text
    answers = words(panel(text, "statuses"))
    assert "200 40 80.0" in answers
    assert "503 9 18.0" in answers
    assert "200 client left 1 2.00" in answers
    slowest, failed = text.split('id="panel-extremes"')[1].split("Latest errors")
    assert re.findall(r'status-server_error">(\d+)', slowest) == ["503"] * 9
    assert re.findall(r'status-server_error">(\d+)', failed) == ["503"] * 9
    assert "Operations</a>" in text
    assert 'class="chip"' not in text


def test_every_number_leads_to_its_requests(world: World) -> None:
    world.receive(4, operation="GET /slow", duration_us=2_000, consumer="ada")
    world.receive(3, operation="GET /slow", duration_us=70_000, status=404, consumer="bob")
    world.receive(5, operation="GET /other", status=404, consumer="ada")
    ada = world.person()
    text = page(ada, world)
    found = []
    for name in ("statuses", "consumers"):
        for row in panel(text, name).split("<tr ")[1:]:
            href = re.search(r'href="([^"]+)"', row)
            assert href
            behind = re.search(r"<b>(\d+)</b> in this time", ada.get(unescape(href[1])).text)
            assert behind
            assert f'<td class="n">{behind[1]}</td>' in row
            found.append(int(behind[1]))
    assert sorted(found) == [3, 3, 4, 4]
    bars = re.findall(r'<a href="([^"]+)".*?<td class="n">(\d+)</td>', panel(text, "distribution"))
    assert len(bars) == 2
    for href, count in bars:
        assert f"<b>{count}</b> in this time" in ada.get(unescape(href)).text


def test_time_and_bytes_are_told_as_far_as_they_are_known(world: World) -> None:
    world.receive(3, operation="GET /slow", duration_us=10_000, cpu_us=4_000, response_bytes=0)
    world.receive(1, operation="GET /slow", duration_us=10_000, response_bytes=0)
    told = words(panel(page(world.person(), world), "costs"))
    assert re.search(r"Response time ms .* (9\.9|10\.)\d .* 100", told)
    assert re.search(r"CPU ms .* 3\.9\d .* 75\.0", told)
    assert re.search(r"Waiting ms .* (5\.9|6\.0)\d .* 75\.0", told)
    assert "Response B 0 0 0 100" in told
    assert "Queue" not in told


def test_an_operation_without_requests_says_so_everywhere(world: World) -> None:
    world.receive(1)
    text = page(world.person(), world, "method=PUT&route=/never")
    assert text.count('class="empty"') == 6
    assert "nan" not in text.lower().split("<main", 1)[1]


@pytest.mark.parametrize("query", ["", "method=GET", "route=/slow"])
def test_an_address_without_an_operation_says_what_is_missing(world: World, query: str) -> None:
    world.receive(1)
    answer = world.person().get(f"/projects/{world.mine}/operations?{query}")
    assert answer.status_code == 400
    assert "the address needs both" in answer.text


def test_an_operation_is_for_members(world: World) -> None:
    path = f"/projects/{world.mine}/operations?method=GET&route=/"
    assert world.app.test_client().get(path).status_code == 302
    assert world.person("grace@example.com").get(path).status_code == 404


@pytest.mark.parametrize("buckets", [[0], [0, 1], [500], [345, 346, 800], list(range(0, 2000, 7))])
def test_a_distribution_stays_within_its_drawing(buckets: list[int]) -> None:
    bands = Bands.over(buckets)
    counts = Counter(bands.of(bucket) for bucket in buckets)
    scale = distribution.Scale(bands, distribution.tallest_share(counts))
    drawn = distribution.bars(bands, counts, scale)
    lines = distribution.outline(bands, counts, scale)
    assert {line.y1 for line in lines} | {line.y2 for line in lines} <= {
        *(bar.y for bar in drawn),
        distribution.GROUND,
    }
    assert lines[-1].y2 == lines[0].y1 == distribution.GROUND
    assert sum(bar.requests for bar in drawn) == len(buckets)
    for bar in drawn:
        assert 0 <= bar.x <= 100
        assert bar.y >= distribution.TOP
        assert bar.y + bar.height == pytest.approx(distribution.GROUND)
    stats = Stats(
        requests=1, errors=0, duration_us=1, p50_us=1.0, p95_us=1e12, p99_us=None,
    )  # fmt: skip
    for mark in distribution.marks(stats, scale):
        assert 0 <= mark.x <= 100


def test_sizes_and_times_keep_their_own_units() -> None:
    spread = Spread(requests=2, p50=4_000, p95=5_000, p99=6_000)
    rows = costs.rows({"duration_us": spread, "response_bytes": spread})
    assert [(row.label, row.unit.symbol) for row in rows] == [
        ("Response time", "ms"), ("Response", "kB"),
    ]  # fmt: skip


def test_chosen_releases_are_drawn_over_each_other(world: World) -> None:
    now_us = time.time_ns() // 1000
    for number, (release, requests) in enumerate((("1.0", 40), ("1.1", 50), ("1.2", 3))):
        rows: list[dict[str, object]] = [
            {"operation": "GET /slow", "start_us": now_us - 5_000_000, "duration_us": 1000 * one}
            for one in range(1, requests + 1)
        ]
        made = block(rows, project_id=world.mine_id, wire_id=f"{number:032x}", received_us=now_us)
        world.store.append(of_release(made, release), world.store.position() + 1)
    ada = world.person()
    period = panel(page(ada, world), "distribution")
    assert "this period 93" in words(period)
    assert "no request is kept of the period before" in words(period)
    chosen = panel(page(ada, world, "method=GET&route=/slow&newer=1.1&older=1.0"), "distribution")
    assert "1.1 50 1.0 40" in words(chosen)
    assert 'class="before"' in chosen
    assert "release=1.1" in chosen
    few = panel(page(ada, world, "method=GET&route=/slow&newer=1.1&older=1.2"), "distribution")
    assert "1.2: 3 requests, too few to draw" in words(few)
    assert 'class="before"' not in few
