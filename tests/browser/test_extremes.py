"""What an app sends may be long, huge or missing; the page keeps its shape."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.platform import Platform

from .person import HEIGHT, NARROW, WIDE, Person
from .world import post_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAME = "A shop with quite a long name that goes on to see what breaks"
LONG = "/x" * 400
YEAR_US = 365 * 86_400 * 1_000_000
#: One line of a table, with its padding and border (pixels).
ROW_HEIGHT = 34


@pytest.fixture(scope="module")
def extreme(platform: Platform) -> str:
    """The name of a project whose every value is too long or too large."""
    dsn = platform.create_project(NAME)
    rows = [
        {
            "route": "/api/" + "v" * 300,
            "path": LONG,
            "status": 500,
            "exception": "package." + "Error" * 40,
            "duration_us": YEAR_US,
            "response_bytes": 10**15,
        }
    ]
    rows += [
        {"route": "", "path": "/nothing", "status": 404, "response_bytes": size}
        for size in (68, 207, 1_483, 2_310_000)
    ]
    post_rows(dsn, rows, environment="staging-" + "e" * 100, release="2026." + "r" * 150)
    return NAME


def opened(person: Person, name: str, width: int) -> Page:
    page = person.page
    page.set_viewport_size({"width": width, "height": HEIGHT})
    person.open("/projects")
    row = page.get_by_role("row", name=name)
    expect(row).not_to_contain_text("waiting")
    assert person.scroll_width() == width
    page.get_by_role("link", name=name).click()
    expect(page.locator("live-stream")).to_have_text(re.compile("live · "))
    return page


def edges(element: Locator) -> tuple[float, float]:
    """Left and right."""
    box = element.bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


@pytest.mark.parametrize("width", [WIDE, 1024, 800, NARROW])
def test_nothing_overlaps_or_leaves_the_page(person: Person, extreme: str, width: int) -> None:
    page = opened(person, extreme, width)
    assert person.scroll_width() == width
    assert edges(page.locator(".switch summary"))[1] <= edges(page.locator(".account"))[0]
    assert edges(page.locator(".account"))[1] <= width
    figures = page.locator(".headline .value")
    for place in range(figures.count()):
        spilled = figures.nth(place).evaluate("node => node.scrollWidth - node.clientWidth")
        assert spilled <= 0, figures.nth(place).inner_text()
    failed = page.locator("#panel-requests tbody tr").filter(has_text="500")
    person.open(failed.locator("a").first.get_attribute("href") or "")
    expect(page.locator(".one-line")).to_contain_text("package.Error")
    assert person.scroll_width() == width
    first = page.locator(".headline").bounding_box()
    assert first is not None
    assert first["y"] < HEIGHT / 2, "a long path does not push the figures away"


def test_a_row_is_one_line_and_says_the_rest_on_hover(person: Person, extreme: str) -> None:
    page = opened(person, extreme, WIDE)
    requests = page.locator("#panel-requests tbody tr")
    expect(requests).to_have_count(5)
    heights = requests.evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) <= ROW_HEIGHT
    failed = requests.filter(has_text="500")
    expect(failed.locator(".column-request")).to_have_attribute("title", f"GET {LONG}")
    expect(failed.locator(".column-status")).to_have_attribute(
        "title", re.compile(r"500 · package")
    )
    expect(requests.filter(has_text="404").first.locator(".column-route")).to_have_text(
        "no route matched"
    )
    expect(page.locator("th.column-first-byte")).to_have_count(0)
    sizes = page.locator("#panel-requests td.column-response").all_inner_texts()
    assert sorted(sizes) == sorted(["68 B", "207 B", "1.48", "2,310", "1.00 PB"])


def test_an_empty_chart_says_so_and_invents_no_axis(person: Person, extreme: str) -> None:
    page = opened(person, extreme, WIDE)
    page.goto(f"{page.url}?status=3xx")
    for chart in ("throughput-chart", "latency-chart"):
        expect(page.locator(f"{chart} .plot-empty")).to_have_text("no requests")


def test_a_menu_of_long_names_stays_on_the_page(person: Person, extreme: str) -> None:
    page = opened(person, extreme, NARROW)
    for menu in (".filters .menu:last-child", ".switch .menu", ".segments .menu", ".ledger"):
        page.locator(f"{menu} summary").click()
        expect(page.locator(f"{menu} .menu-body")).to_be_visible()
        assert person.scroll_width() == NARROW, menu
        page.keyboard.press("Escape")
