"""How pages look and work for everybody: themes, widths, no JavaScript, assistive technology."""

import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect

from tests.support.platform import Platform
from tests.support.waiting import wait_for

from .person import HEIGHT, NARROW, WIDE, Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DARK = "rgb(20, 22, 25)"
LIGHT = "rgb(255, 255, 255)"
#: Where to keep the pictures for the docs; otherwise all stay in the test's own folder.
KEEP = "FLASK_PERFORMANCE_SCREENSHOTS"
#: The few that the docs show.
KEPT = frozenset(
    f"{name}.png"
    for name in (
        "overview-light-1440",
        "overview-dark-1440",
        "overview-light-390",
        "operation-light-1440",
        "operation-dark-1440",
        "requests-light-1440",
        "requests-dark-1440",
        "instances-light-1440",
        "projects-light-1440",
        "setup-light-1440",
    )
)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[str], Path]:
    """Where the picture of a page goes, by its file name."""
    kept = Path(os.environ.get(KEEP, tmp_path))
    return lambda name: (kept if name in KEPT else tmp_path) / name


def background(page: Page) -> str:
    color: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return color


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_page_at_every_width_in_both_themes(
    person: Person,
    pages: dict[str, str],
    picture: Callable[[str], Path],
    width: int,
    scheme: str,
) -> None:
    page = person.page
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for name, path in pages.items():
        person.open(path)
        assert person.scroll_width() == width, name
        assert background(page) == (DARK if scheme == "dark" else LIGHT), name
        violations = Axe().run(page).response["violations"]
        assert not violations, (name, [(one["id"], one["nodes"][0]["html"]) for one in violations])
        page.screenshot(path=picture(f"{name}-{scheme}-{width}.png"))


#: What is cut: of the ledger, of the row of time ranges, of the names of operations (pixels).
CUT = """() => {
    const cut = element => Math.max(0, element.scrollWidth - element.clientWidth);
    const tops = [...document.querySelectorAll(".segments > *")].map(one => one.offsetTop);
    const name = document.querySelector("#panel-operations tbody .column-operation");
    return {
        ledger: cut(document.querySelector(".ledger-line")),
        ranges: Math.max(...tops) - Math.min(...tops) > 12 ? 1 : 0,
        names: Math.max(0, 100 - name.offsetWidth),
    };
}"""


def test_nothing_that_answers_first_is_cut_at_any_width(
    person: Person, pages: dict[str, str]
) -> None:
    page = person.open(pages["overview"])
    for width in (WIDE, 1439, 1280, 1181, 1041, 1000, 760, NARROW, 360):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        # Charts follow in the next frame.
        wait_for(partial(has_width, person, width), 5, f"a page {width} px wide")
        assert page.evaluate(CUT) == {"ledger": 0, "ranges": 0, "names": 0}, width


def has_width(person: Person, width: int) -> bool:
    return person.scroll_width() == width


#: The words of everything that opens, and is wider than the screen or begins left of it then.
HANGS_OFF = """() => [...document.querySelectorAll("details")].filter(details => {
    details.open = true;
    const left = Math.min(...[...details.children].map(one => one.getBoundingClientRect().left));
    const off = left < 0 || document.documentElement.scrollWidth > innerWidth;
    details.open = false;
    return off;
}).map(details => details.innerText)"""


#: Whether the rail, which is wider than a phone, shows which page is open.
CURRENT_IN_SIGHT = """() => [...document.querySelectorAll(".rail [aria-current]")].every(link => {
    const { left, right } = link.getBoundingClientRect();
    return left >= 0 && right <= innerWidth;
})"""


def test_nothing_that_opens_hangs_off_the_screen_of_a_phone(
    person: Person, pages: dict[str, str]
) -> None:
    person.page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    for name, path in pages.items():
        assert person.open(path).evaluate(HANGS_OFF) == [], name
        assert person.page.evaluate(CURRENT_IN_SIGHT), name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_for_visitors(
    browser: Browser, platform: Platform, picture: Callable[[str], Path], scheme: str
) -> None:
    with Person.at(browser, platform.url, color_scheme=scheme) as visitor:
        for name in ("login", "signup", "reset"):
            page = visitor.open(f"/{name}")
            assert not Axe().run(page).response["violations"], name
            page.screenshot(path=picture(f"{name}-{scheme}.png"))


def test_a_chosen_theme_comes_with_the_first_byte(person: Person) -> None:
    page = person.open("/projects")
    assert background(page) == LIGHT
    page.locator(".account summary").click()
    page.get_by_label("Theme").select_option("dark")
    assert background(page) == DARK
    answer = page.request.get(f"{person.base}/projects")
    assert 'data-theme="dark"' in answer.text()
    page.get_by_label("Theme").select_option("system")
    assert background(page) == LIGHT
    assert "data-theme" not in page.request.get(f"{person.base}/projects").text()


WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) window.shifted += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_jumps_after_the_first_paint(
    person: Person, pages: dict[str, str], width: int
) -> None:
    page = person.page
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.add_init_script(WATCH_SHIFTS)
    person.open(pages["overview"])
    expect(page.locator("live-stream")).to_have_text(re.compile("live · "))
    expect(page.locator("latency-chart canvas")).to_be_visible()
    # Chromium's measure: share of the screen that moved times how far; below 0.1 counts as good.
    assert page.evaluate("window.shifted") < 0.005


@pytest.fixture
def plain(browser: Browser, platform: Platform) -> Iterator[Person]:
    """The user, with a browser that runs no JavaScript."""
    with Person.at(browser, platform.url, java_script_enabled=False) as person:
        yield person


@pytest.mark.usefixtures("busy")
def test_numbers_and_tables_need_no_javascript(plain: Person) -> None:
    plain.log_in()
    page = plain.page

    def stored() -> bool:
        page.reload()
        return page.get_by_text("steady").count() == 2

    wait_for(stored, 10, "the projects to have requests")
    page.get_by_role("link", name="Shop").click()
    expect(page.locator(".headline .value").first).to_have_text(re.compile(r"\d"))
    expect(page.locator("#panel-operations tbody tr")).to_have_count(8)
    page.get_by_text("Show as a table").first.click()
    expect(page.locator("#panel-throughput tbody tr").first).to_be_visible()
    page.get_by_role("link", name="1 h").click()
    expect(page).to_have_url(re.compile("range=1h"))
    page.get_by_role("link", name="p99").first.click()
    expect(page).to_have_url(re.compile(r"range=1h&sort=-p99"))
    expect(page.locator(".foot")).to_contain_text("Times in UTC")
