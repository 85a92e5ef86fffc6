"""The page of requests over HTTP: what its filters find, its permalinks, its files."""

import csv
import io
import json
import re
from html import unescape

import pytest

from .conftest import Person, World


def page(person: Person, world: World, query: str = "") -> str:
    answer = person.get(f"/projects/{world.mine}/requests{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def paths(text: str) -> list[str]:
    """What the rows of the table show."""
    return re.findall(r'<span class="path">([^<]*)</span>', text)


def total(text: str) -> int:
    """How many requests the page says there are."""
    match = re.search(r"<b>([0-9,]+)</b> in this time", text)
    assert match
    return int(match[1].replace(",", ""))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=5xx", ["/broken"]),
        ("?errors=1", ["/broken", "/torn"]),
        ("?outcome=failed", ["/torn"]),
        ("?outcome=disconnected", ["/left"]),
        ("?duration_from=2.5", ["/slow"]),
        ("?duration_from=2.5&duration_to=2.501", ["/slow"]),
        ("?duration_from=2.501", []),
        ("?consumer=ada", ["/left"]),
        ("?trace=4bf92f35", ["/broken"]),
        ("?path=low", ["/slow"]),
        ("?instance=" + "a" * 32, ["/broken", "/left", "/slow", "/torn"]),
        ("?instance=" + "b" * 32, []),
        ("?method=GET&route=/torn", ["/torn"]),
    ],
)
def test_filters_find_exactly_what_they_say(world: World, query: str, found: list[str]) -> None:
    world.receive(1, operation="GET /slow", path="/slow", duration_us=2500)
    world.receive(1, operation="GET /broken", path="/broken", status=503, trace_id="4bf92f35")
    world.receive(1, operation="GET /torn", path="/torn", outcome=2)
    world.receive(1, operation="GET /left", path="/left", outcome=1, consumer="ada")
    text = page(world.person(), world, query)
    assert sorted(paths(text)) == found
    assert "fit the filters" in text or "fits the filters" in text
    assert text.count('class="chip"') == query.count("=") - ("route" in query) - (
        "duration_to" in query
    )


def test_a_chip_removes_its_filter_and_keeps_the_others(world: World) -> None:
    world.receive(1)
    text = page(world.person(), world, "?range=1h&status=4xx&consumer=ada&path=x")
    links = {unescape(link) for link in re.findall(r'class="chip" href="([^"]+)"', text)}
    path = f"/projects/{world.mine}/requests"
    assert links == {
        f"{path}?range=1h&consumer=ada&path=x",
        f"{path}?range=1h&status=4xx&path=x",
        f"{path}?range=1h&status=4xx&consumer=ada",
    }


def test_older_requests_follow_without_a_gap_or_a_repeat(world: World) -> None:
    ada = world.person()
    for number in range(3):
        world.receive(40, operation=f"GET /{number}", path=f"/{number}")
    text = page(ada, world)
    seen = re.findall(r'<tr id="(q\d+)"', text)
    assert "data-live" in text.split('id="panel-explorer"')[1].split(">")[0]
    while older := re.search(r'href="([^"]+)" rel="next"', text):
        text = ada.get(unescape(older[1])).text
        seen += re.findall(r'<tr id="(q\d+)"', text)
        assert "data-live" not in text.split('id="panel-explorer"')[1].split(">")[0]
    assert len(seen) == len(set(seen)) == 120
    assert ">Newest</a>" in text


def test_a_place_to_go_on_from_that_is_none_says_so(world: World) -> None:
    world.receive(1)
    answer = world.person().get(f"/projects/{world.mine}/requests?before=x")
    assert answer.status_code == 400
    assert "leave out" in answer.text


@pytest.mark.parametrize(
    "query", ["outcome=x", "duration_from=-1", "duration_from=5&duration_to=5"]
)
def test_a_filter_that_means_nothing_says_what_is_wrong(world: World, query: str) -> None:
    answer = world.person().get(f"/projects/{world.mine}/requests?{query}")
    assert answer.status_code == 400
    assert "The outcome" in answer.text or "duration" in answer.text


def test_the_table_of_the_heatmap_leads_to_exactly_its_requests(world: World) -> None:
    for place, duration_us in enumerate((1, 2, 900, 1_000, 1_020, 5_000, 80_000, 3_000_000)):
        world.receive(place + 1, duration_us=duration_us)
    ada = world.person()
    text = page(ada, world, "?range=1h").split('id="panel-heatmap"')[1].split("</section>")[0]
    head, body = text.split("<thead>")[1].split("</thead>")
    counted = [0] * head.count("<a ")
    for row in body.split("<tr>")[1:]:
        cells = re.findall(r'<td class="n">(\d*)</td>', row)
        counted = [sum_ + int(cell or 0) for sum_, cell in zip(counted, cells, strict=True)]
        href = re.search(r'href="([^"]+)"', row)
        assert href
        behind = ada.get(unescape(href[1])).text
        assert total(behind) == sum(int(cell or 0) for cell in cells)
    hrefs = [unescape(href) for href in re.findall(r'href="([^"]+)"', head)]
    shown = [ada.get(href).text for href in hrefs]
    assert [total(text) for text in shown] == counted
    assert sum(counted) == 36


def test_one_request_in_full_at_an_address_that_stays(world: World) -> None:
    columns = {
        "duration_us": 12_000, "first_byte_us": 9_000, "cpu_us": 4_000, "queue_us": 1_500,
        "request_bytes": 12, "response_bytes": 4_096, "exception": "app.Broken",
        "trace_id": "4bf92f35", "consumer": "ada",
    }  # fmt: skip
    world.receive(1, operation="GET /books/<int:id>", path="/books/7", status=500, **columns)
    ada = world.person()
    match = re.search(r'class="row-link" href="([^"]+)"', page(ada, world))
    assert match
    text = re.sub(r"<[^>]+>", " ", ada.get(match[1]).text)
    text = unescape(re.sub(r"\s+", " ", text))
    for words in (
        "GET /books/7", "Status 500", "Route /books/<int:id>", "Exception app.Broken",
        "Duration 12.0 ms", "First byte 9.00 ms", "CPU 4.00 ms", "Waiting 8.00 ms",
        "Queue 1.50 ms", "Request body 12 B", "Response 4.10 kB", "Consumer ada",
        "Trace 4bf92f35", "Instance " + "a" * 32, "Environment production", "Release –",
        "Requests of the same trace",
    ):  # fmt: skip
        assert words in text, words
    world.receive(50)
    assert "/books/7" in ada.get(match[1]).text


def test_the_links_of_a_request_lead_to_it(world: World) -> None:
    world.receive(1, path="/one", trace_id="4bf92f35", consumer="ada")
    ada = world.person()
    match = re.search(r'class="row-link" href="([^"]+)"', page(ada, world))
    assert match
    around = ada.get(match[1]).text.split('id="around-title"')[1].split("</section>")[0]
    hrefs = [unescape(href) for href in re.findall(r'href="([^"]+)"', around)]
    assert len(hrefs) == 5
    for href in hrefs[1:]:
        assert paths(ada.get(href).text) == ["/one"], href


def test_a_request_of_another_project_is_not_there(world: World) -> None:
    world.receive(1)
    match = re.search(r'class="row-link" href="([^"]+)"', page(world.person(), world))
    assert match
    grace = world.person("grace@example.com")
    assert grace.get(match[1]).status_code == 404
    assert grace.get(match[1].replace(world.mine, world.theirs)).status_code == 404
    assert world.person().get(f"/projects/{world.mine}/requests/{2**80}").status_code == 404


def test_the_slow_ones_of_an_operation_are_told(world: World) -> None:
    world.receive(30, duration_us=1000)
    world.receive(10, duration_us=9000)
    ada = world.person()
    match = re.search(r'class="row-link" href="([^"]+)"', page(ada, world, "?duration_from=9"))
    assert match
    text = ada.get(match[1]).text
    assert "slower than 75 % of the 40 requests" in text
    assert "this one" in text


def test_a_file_has_what_the_page_shows(world: World) -> None:
    world.receive(3, operation="GET /a", path="/a", duration_us=1_234, response_bytes=5)
    world.receive(2, operation="GET /b", path="/b")
    ada = world.person()
    answer = ada.get(f"/projects/{world.mine}/requests.csv?path=a")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["path"], row["duration_ms"], row["response_bytes"]) for row in rows] == [
        ("/a", "1.234", "5")
    ] * 3
    objects = json.loads(ada.get(f"/projects/{world.mine}/requests.json?path=a").text)
    assert [str(one["id"]) for one in objects] == [row["id"] for row in rows]
    assert objects[0]["duration_ms"] == 1.234
    assert objects[0]["cpu_ms"] is None
    assert json.loads(ada.get(f"/projects/{world.mine}/requests.json?path=none").text) == []


def test_a_spreadsheet_runs_nothing_that_a_visitor_wrote(world: World) -> None:
    for evil in ("=cmd|' /C calc'!A0", "@SUM(1)", "-2+3", "+1", "\t=1"):
        world.receive(1, path=evil, consumer=evil)
    text = world.person().get(f"/projects/{world.mine}/requests.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 5
    for row in rows:
        assert row["path"].startswith("'")
        assert row["consumer"].startswith("'")


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_files_are_for_members_and_for_questions_that_mean_something(
    world: World, kind: str
) -> None:
    world.receive(1)
    path = f"/projects/{world.mine}/requests.{kind}"
    assert world.app.test_client().get(path).status_code == 302
    assert world.person("grace@example.com").get(path).status_code == 404
    assert world.person().get(path + "?range=9").status_code == 400
    assert world.person().get(f"/projects/{world.mine}/requests.xml").status_code == 404
