"""The requests behind every number: brushed, tailed, kept at an address."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from tests.support.platform import Platform

from .person import Person
from .world import Past, monitored_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: As in test_overview: the platform's promise, and room for a busy machine (milliseconds).
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
def path(person: Person, dsn: str, name: str) -> str:
    """The path of a project with half an hour of past."""
    Past(seconds=1800, per_second=2).post(dsn)
    page = person.open("/projects")
    expect(page.get_by_role("row", name=name)).to_contain_text("steady")
    return page.get_by_role("link", name=name).get_attribute("href") or ""


def total(page: Page) -> int:
    text = page.locator("#panel-explorer .panel-head b").first.inner_text()
    return int(text.replace(",", ""))


def stored(person: Person, path: str, query: str = "?range=1h") -> list[dict[str, Any]]:
    """The requests as the file has them."""
    answer = person.page.request.get(f"{person.base}{path}/requests.json{query}")
    found: list[dict[str, Any]] = json.loads(answer.text())
    return found


def test_a_box_on_the_heatmap_leads_to_exactly_its_requests(person: Person, path: str) -> None:
    page = person.open(f"{path}?range=1h")
    plot = page.locator("heatmap-chart .u-over")
    expect(plot).to_be_visible()
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.2)
    expect(page.locator("heatmap-chart .tooltip")).to_contain_text("request")
    expect(page.locator("throughput-chart .tooltip")).to_contain_text("2xx")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.6, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"/requests\?.*duration_from="))
    expect(page.locator(".chip")).to_contain_text("duration")
    expect(page.get_by_role("link", name="Requests", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    asked = {name: value[0] for name, value in parse_qs(urlsplit(page.url).query).items()}
    start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
    least, most = float(asked["duration_from"]), float(asked["duration_to"])
    inside = {
        row["id"]
        for row in stored(person, path)
        if start <= datetime.fromisoformat(row["start"]) < end
        and least <= row["duration_ms"] < most
    }
    assert len(inside) == total(page) > 20
    query = "?" + urlsplit(page.url).query
    assert {row["id"] for row in stored(person, path, query)} == inside


def test_a_drag_along_the_heatmap_zooms_the_time_as_in_other_charts(
    person: Person, path: str
) -> None:
    page = person.open(f"{path}?range=1h")
    plot = page.locator("heatmap-chart .u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 63, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"start="))
    assert urlsplit(page.url).path == path
    assert "duration" not in page.url


def test_the_tail_follows_and_holds_still_under_the_pointer(
    person: Person, path: str, shop: Flask
) -> None:
    page = person.open(f"{path}/requests")
    rows = page.locator("#panel-explorer tbody tr")
    expect(page.locator("live-stream")).to_have_text(re.compile("live · "))
    shop.test_client().get("/broken")
    expect(rows.first).to_contain_text("/broken", timeout=VISIBLE_MS)
    rows.nth(5).hover()
    held = rows.first.get_attribute("id")
    before = total(page)
    shop.test_client().get("/books/77")
    expect(page.get_by_text("held while you point at them")).to_be_visible()
    ledger = page.locator(".ledger-line b").first
    expect(ledger).to_have_text("3,602", timeout=VISIBLE_MS)
    assert rows.first.get_attribute("id") == held
    assert total(page) == before
    page.locator("h2").first.hover()
    expect(rows.first).to_contain_text("/books/77", timeout=VISIBLE_MS)


def test_a_row_leads_to_an_address_that_a_colleague_can_open(
    person: Person, path: str, browser: Browser, platform: Platform
) -> None:
    page = person.open(f"{path}/requests?status=5xx&range=1h")
    row = page.locator("#panel-explorer tbody tr").first
    expect(row.locator(".status")).to_have_text("500")
    row.click()
    expect(page).to_have_url(re.compile(r"/requests/\d+$"))
    heading = page.locator("h1").inner_text()
    with Person.at(browser, platform.url, java_script_enabled=False) as colleague:
        colleague.log_in()
        same = colleague.open(urlsplit(page.url).path)
        assert same.locator("h1").inner_text() == heading
        same.get_by_role("link", name="Requests of its instance then").click()
        assert total(same) > 20
        same.get_by_role("link", name="Older").click()
        expect(same.locator("#panel-explorer tbody tr")).to_have_count(50)
        same.get_by_role("link", name="Newest").click()
        same.get_by_text("More", exact=True).click()
        same.get_by_label("Path contains").fill("checkout")
        same.locator(".filter-form").get_by_role("button", name="Show").click()
        expect(same.locator(".chip")).to_contain_text(["instance", "path with checkout"])
        for text in same.locator("#panel-explorer tbody .path").all_inner_texts():
            assert text == "/checkout"
