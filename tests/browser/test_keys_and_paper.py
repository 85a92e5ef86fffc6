"""Keys, paper, and every page of the dashboard without JavaScript and without a jump."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support.platform import Platform

from .person import HEIGHT, Person
from .world import Past, post_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = (
    *("", "/operations?method=GET&route=/search"),
    *("/requests", "/unmatched", "/instances", "/routes"),
)
#: A4 at 96 pixels an inch.
A4: ViewportSize = {"width": 794, "height": 1123}


@pytest.fixture(scope="module")
def shop(platform: Platform, browser: Browser) -> str:
    """The path of a busy project, once its requests are there."""
    dsn = platform.create_project("Shop")
    Past(seconds=900, per_second=2).post(dsn)
    post_rows(dsn, [{"route": "", "status": 404, "path": "/searhc"}])
    with Person.at(browser, platform.url) as person:
        person.log_in()
        expect(person.page.get_by_role("row", name="Shop")).to_contain_text("steady")
        path = person.page.get_by_role("link", name="Shop").first.get_attribute("href")
    assert path
    return path


@pytest.fixture
def overview(person: Person, shop: str) -> Page:
    page = person.open(shop)
    expect(page.locator("live-stream")).to_have_text(re.compile("live · "))
    return page


def test_keys_do_what_the_list_says(overview: Page) -> None:
    keyboard = overview.keyboard
    keyboard.press("?")
    dialog = overview.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    keyboard.press("/")
    expect(overview.get_by_role("searchbox")).to_be_focused()
    keyboard.type("l?")  # in a field they are letters
    expect(overview.get_by_role("searchbox")).to_have_value("l?")
    expect(dialog).to_be_hidden()
    expect(overview.locator("live-stream")).to_have_attribute("data-state", "live")
    overview.get_by_role("searchbox").blur()
    keyboard.press("l")
    expect(overview.locator("live-stream")).to_have_attribute("data-state", "paused")
    keyboard.press("l")
    expect(overview.locator("live-stream")).to_have_attribute("data-state", "live")
    keyboard.press("t")
    expect(overview.locator(".segments [aria-current]")).to_be_focused()
    for letter, path in (("u", "/unmatched"), ("r", "/requests"), ("p", "/projects")):
        keyboard.press("g")
        keyboard.press(letter)
        expect(overview).to_have_url(re.compile(rf"{path}(\?.*)?$"))


def test_the_list_of_keys_is_in_the_menu_too(overview: Page) -> None:
    overview.locator(".account summary").click()
    overview.get_by_role("button", name="Keys").click()
    dialog = overview.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_page_prints_with_its_numbers_and_charts(
    overview: Page, person: Person, shop: str, tmp_path: Path
) -> None:
    overview.emulate_media(media="print", color_scheme="dark")
    overview.set_viewport_size(A4)
    for gone in (".topbar", ".segments", "live-stream", ".search", ".files", ".chart-foot"):
        assert overview.locator(f"{gone}:visible").count() == 0, gone
    for kept in (".headline .value", "latency-chart canvas", "#panel-operations tbody tr"):
        expect(overview.locator(kept).first).to_be_visible()
    expect(overview.locator(".on-paper")).to_contain_text("Shop")
    color = overview.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert color == "rgb(255, 255, 255)"
    for path in PAGES:
        page = person.open(shop + path)
        assert person.scroll_width() <= A4["width"], path
        paper = page.pdf(path=tmp_path / "page.pdf", format="A4")
        assert paper.startswith(b"%PDF")
        assert 1 <= paper.count(b"/Type /Page\n") <= 6, path


WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) window.shifted += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def test_no_page_jumps_after_its_first_paint(person: Person, shop: str) -> None:
    page = person.page
    page.set_viewport_size({"width": 1440, "height": HEIGHT})
    page.add_init_script(WATCH_SHIFTS)
    for path in [shop + part for part in PAGES] + ["/projects"]:
        person.open(path)
        expect(page.locator("live-stream")).to_have_text(re.compile("live · "))
        # Chromium's measure; below 0.1 counts as good.
        assert page.evaluate("window.shifted") < 0.005, path


def test_moving_less_is_respected(overview: Page) -> None:
    overview.emulate_media(reduced_motion="reduce")
    moving = "() => document.getAnimations().length"
    assert overview.evaluate(moving) == 0


@pytest.fixture
def plain(browser: Browser, platform: Platform) -> Iterator[Person]:
    """The user, with a browser that runs no JavaScript."""
    with Person.at(browser, platform.url, java_script_enabled=False) as person:
        person.log_in()
        yield person


def test_every_page_has_its_numbers_without_javascript(plain: Person, shop: str) -> None:
    for path in [shop + part for part in PAGES] + ["/projects"]:
        page = plain.open(path)
        for view in page.locator("details.as-table").all():
            view.locator("summary").click()
            expect(view.locator("tbody tr").first).to_be_visible()
        table = page.locator("table:visible").last
        expect(table.locator("tbody tr").first).to_contain_text(re.compile(r"\d"))
        charts = page.locator("throughput-chart, latency-chart, heatmap-chart").count()
        assert page.locator("details.as-table").count() >= charts, path
    page = plain.open(shop)
    page.get_by_role("searchbox", name="Search operations").fill("books")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#panel-operations tbody tr")).to_have_count(2)
