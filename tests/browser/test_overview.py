"""The overview of a project: live, filtered, sorted, zoomed, and honest about a lost connection."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from playwright.sync_api import Locator, Page, expect

from tests.support.platform import Platform
from tests.support.waiting import wait_for

from .person import Person
from .world import Past, monitored_app, post_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: What the platform promises from the end of a response to the open page, with room for a
#: machine that also runs Chromium and other tests (milliseconds).
VISIBLE_MS = 5_000


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A project of the test's own."""
    return f"Shop of {request.node.name}"[:80]


@pytest.fixture
def dsn(platform: Platform, name: str) -> str:
    return platform.create_project(name)


@pytest.fixture
def shop(dsn: str) -> Iterator[Flask]:
    app, collector = monitored_app(dsn)
    yield app
    collector.flush(app)


@pytest.fixture
def overview(person: Person, dsn: str, name: str) -> Page:
    """The open overview of a project with half an hour of past."""
    past = Past(seconds=1800, per_second=2)
    past.post(dsn)
    page = person.open("/projects")
    expect(page.get_by_role("row", name=name)).to_contain_text("steady")
    page.get_by_role("link", name=name).click()
    expect(page.locator("live-stream")).to_have_text(re.compile("live · "))
    wait_for(lambda: seen(page) == past.sent, 10, "all of the past on the page")
    return page


def seen(page: Page) -> int:
    text = page.locator(".ledger-line b").first.inner_text()
    return int(text.replace(",", ""))


def place(page: Page) -> float:
    """How far down the page's content starts."""
    box = page.locator(".headline").bounding_box()
    assert box is not None
    return box["y"]


def operation(page: Page, name: str) -> Locator:
    return page.locator("#panel-operations").get_by_role("row", name=name)


def test_a_request_appears_by_itself(overview: Page, shop: Flask) -> None:
    before = seen(overview)
    answer = shop.test_client().get("/broken")
    assert answer.status_code == 500
    expect(operation(overview, "GET /broken")).to_be_visible(timeout=VISIBLE_MS)
    newest = overview.locator("#panel-requests tbody tr").first
    expect(newest).to_contain_text("/broken", timeout=VISIBLE_MS)
    expect(newest.locator(".status")).to_have_text("500")
    wait_for(lambda: seen(overview) == before + 1, 5, "the ledger to count the request")


def test_rows_stand_still_under_the_pointer(overview: Page, shop: Flask) -> None:
    table = overview.locator("#panel-requests")
    table.locator("tbody tr").nth(3).hover()
    first = table.locator("tbody tr").first.get_attribute("id")
    shop.test_client().get("/broken")
    expect(operation(overview, "GET /broken")).to_be_visible(timeout=VISIBLE_MS)
    assert table.locator("tbody tr").first.get_attribute("id") == first
    expect(table.get_by_text("held while you point at them")).to_be_visible()
    overview.locator("h2").first.hover()
    expect(table.locator("tbody tr").first).to_contain_text("/broken")


def test_a_click_sorts_and_the_url_keeps_it(overview: Page) -> None:
    overview.locator("#panel-operations").get_by_role("link", name="Requests", exact=True).click()
    expect(overview).to_have_url(re.compile(r"sort=-requests"))
    header = overview.locator("th.column-requests")
    expect(header).to_have_attribute("aria-sort", "descending")
    overview.reload()
    cells = overview.locator("#panel-operations td.column-requests").all_inner_texts()
    counts = [int(text.replace(",", "")) for text in cells]
    assert len(counts) == 8
    assert counts == sorted(counts, reverse=True)


def test_a_row_leads_to_the_page_of_its_operation_and_back(overview: Page) -> None:
    operation(overview, "POST /checkout").click()
    expect(overview).to_have_url(re.compile(r"/operations\?method=POST&route=%2Fcheckout"))
    expect(overview.locator("h1")).to_have_text("POST /checkout")
    expect(overview.locator("live-stream")).to_have_text(re.compile("live · "))
    slowest = overview.locator("#panel-extremes table").first
    for text in slowest.locator("tbody .path").all_inner_texts():
        assert text == "/checkout"
    durations = slowest.locator("td.column-duration").all_inner_texts()
    assert durations == sorted(durations, key=float, reverse=True)
    overview.get_by_role("link", name="Operations", exact=True).click()
    expect(overview.locator("#panel-operations tbody tr")).to_have_count(8)


def test_an_operation_is_live(overview: Page, shop: Flask) -> None:
    shop.test_client().get("/broken")
    operation(overview, "GET /broken").click()
    answers = overview.locator("#panel-statuses")
    expect(answers).to_contain_text("500")
    expect(overview.locator("live-stream")).to_have_text(re.compile("live · "))
    shop.test_client().get("/broken")
    expect(answers.locator("tbody td").first).to_have_text("2", timeout=VISIBLE_MS)
    expect(overview.locator("#panel-extremes tbody tr")).to_have_count(4, timeout=VISIBLE_MS)


def test_a_status_filters_everything_but_the_ledger(overview: Page) -> None:
    before = seen(overview)
    overview.locator(".legend").get_by_role("link", name="4xx").click()
    expect(overview).to_have_url(re.compile("status=4xx"))
    expect(overview.locator(".chip")).to_contain_text("status 4xx")
    statuses = overview.locator("#panel-requests .status")
    expect(statuses.first).to_have_text(re.compile("4.."))
    assert {text[0] for text in statuses.all_inner_texts()} == {"4"}
    assert seen(overview) == before


def test_dragging_zooms_and_a_double_click_goes_back(overview: Page) -> None:
    plot = overview.locator("throughput-chart .u-over")
    box = plot.bounding_box()
    assert box is not None
    x, y, width = box["x"], box["y"] + 60, box["width"]
    overview.mouse.move(x + width * 0.4, y)
    expect(overview.locator("throughput-chart .tooltip")).to_contain_text("2xx")
    expect(overview.locator("latency-chart .tooltip")).to_contain_text("p99")
    overview.mouse.down()
    overview.mouse.move(x + width * 0.6, y, steps=5)
    overview.mouse.up()
    expect(overview).to_have_url(re.compile(r"start=.+&end=.+"))
    expect(overview.get_by_role("link", name="Back to live")).to_be_visible()
    expect(overview.locator("live-stream")).to_have_count(0)
    overview.locator("throughput-chart .u-over").dblclick()
    expect(overview).not_to_have_url(re.compile("start="))
    expect(overview.locator("live-stream")).to_have_text(re.compile("live · "))


def test_a_new_release_is_marked_on_every_time_axis(overview: Page, dsn: str) -> None:
    legends = overview.locator("[data-releases]:visible")
    expect(overview.locator("[data-releases]")).to_have_count(5)
    expect(legends).to_have_count(0)
    second = time.time_ns() // 1_000_000_000 - 3
    failed = {"route": "/books", "status": 500, "start_us": second * 1_000_000 + 500_000}
    post_rows(dsn, [failed], release="2.5.0")
    expect(legends).to_have_count(5, timeout=VISIBLE_MS)
    expect(legends.first).to_have_text("release 2.5.0")
    errors = overview.locator("#panel-errors")
    errors.get_by_text("Show as a table").click()
    expect(errors.locator(".first-heard")).to_contain_text("First heard: 2.5.0")

    start, end = (f"{datetime.fromtimestamp(second + by, UTC):%FT%TZ}" for by in (-5, 5))
    overview.goto(f"{overview.url}?start={start}&end={end}&method=GET&route=/books")
    box = overview.locator("errors-chart .u-over").bounding_box()
    assert box is not None
    overview.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 20)
    tooltips = overview.locator(".tooltip:visible")
    expect(tooltips).to_have_count(5)
    expect(tooltips.filter(has_text="release2.5.0")).to_have_count(5)
    expect(overview.locator("errors-chart .tooltip")).to_contain_text("100 %")
    expect(overview.locator("apdex-chart .tooltip")).to_contain_text("0.00")


def test_a_lost_connection_says_so_and_mends_itself_without_gap_or_repeat(
    overview: Page, person: Person, platform: Platform, shop: Flask
) -> None:
    top, before = place(overview), seen(overview)
    platform.kill()
    stream = overview.locator("live-stream")
    expect(stream).to_have_text(re.compile("connection lost · "))
    assert place(overview) == top, "the page stays where it is"
    for number in range(3):
        shop.test_client().get(f"/books/{number}")
    platform.start()
    expect(stream).to_have_text(re.compile("live · "), timeout=15_000)
    wait_for(lambda: seen(overview) == before + 3, 30, "what came while nobody listened")
    newest = overview.locator("#panel-requests tbody tr .path")
    assert newest.all_inner_texts()[:3] == ["/books/2", "/books/1", "/books/0"]
    assert seen(overview) == before + 3
    person.complaints.clear()  # the browser logs every failed attempt to connect


def test_who_was_logged_out_meanwhile_is_asked_to_log_in(
    overview: Page, person: Person, platform: Platform
) -> None:
    overview.context.clear_cookies()
    platform.kill()
    platform.start()
    expect(overview).to_have_url(re.compile("/login"), timeout=15_000)
    person.complaints.clear()  # the browser logs every failed attempt to connect


def test_pause_stops_and_resume_catches_up(overview: Page, shop: Flask, platform: Platform) -> None:
    overview.get_by_role("button", name="Pause").click()
    before = seen(overview)
    shop.test_client().get("/broken")
    second = overview.context.new_page()
    second.goto(overview.url)
    expect(operation(second, "GET /broken")).to_be_visible(timeout=VISIBLE_MS)
    assert seen(overview) == before
    expect(overview.locator("live-stream")).to_have_text(re.compile("^paused · "))
    overview.get_by_role("button", name="Resume").click()
    expect(operation(overview, "GET /broken")).to_be_visible(timeout=VISIBLE_MS)


def test_times_are_the_persons(overview: Page) -> None:
    expect(overview.locator(".foot")).to_contain_text("Times in Europe/Berlin")
    cell = overview.locator("#panel-requests time").first
    hour = int(cell.inner_text()[:2])
    utc = int((cell.get_attribute("datetime") or "")[11:13])
    assert (hour - utc) % 24 in (1, 2)
    assert "Central European" in (cell.get_attribute("title") or "") or "CET" in (
        cell.get_attribute("title") or ""
    )


def test_an_own_range_is_asked_in_the_persons_time(overview: Page) -> None:
    overview.get_by_text("Custom", exact=True).click()
    start = overview.get_by_label("From").input_value()
    overview.get_by_role("button", name="Show").click()
    expect(overview).to_have_url(re.compile("start="))
    overview.get_by_text("Custom", exact=True).click()
    assert overview.get_by_label("From").input_value() == start
    expect(overview.locator("#panel-operations tbody tr")).to_have_count(8)


def test_a_search_filters_as_one_types_and_stays_in_the_address(overview: Page) -> None:
    rows = overview.locator("#panel-operations tbody tr")
    field = overview.get_by_role("searchbox", name="Search operations")
    field.press_sequentially("get books", delay=20)
    expect(rows).to_have_count(2)
    expect(field).to_be_focused()
    expect(field).to_have_value("get books")
    expect(overview).to_have_url(re.compile(r"[?&]q=get\+books"))
    expect(overview.locator("live-stream")).to_have_attribute("src", re.compile("q=get"))
    overview.get_by_role("link", name="1 h", exact=True).click()
    expect(overview).to_have_url(re.compile(r"range=1h.*q=get\+books"))
    expect(rows).to_have_count(2)
    field.fill("")
    expect(rows).to_have_count(8)
    expect(overview).not_to_have_url(re.compile("q="))
