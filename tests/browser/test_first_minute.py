"""From nothing to the first request: sign up, team, project, DSN, and the page that turns live."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.platform import EMAIL, Platform
from tests.support.scaled_platform import Serve

from .person import Person
from .world import monitored_app

NEWCOMER = "grace@example.com"
#: A step is drawn two seconds after it began; with room for a machine that also runs other tests.
DRAWN_MS = 5_000

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def fresh(serve: Serve, tmp_path: Path) -> Iterator[Platform]:
    """What `flask-performance serve` starts in a new folder."""
    with serve(tmp_path / "fresh") as platform:
        yield platform


def test_the_page_turns_live_with_the_first_request(fresh: Platform, browser: Browser) -> None:
    with Person.at(browser, fresh.url) as newcomer:
        go_the_whole_way(fresh, newcomer)


def go_the_whole_way(fresh: Platform, newcomer: Person) -> None:
    """From the line that `serve` prints to the first request on the page, and out again."""
    page = newcomer.open("/")
    expect(page.get_by_text("This server has no account yet.")).to_be_visible()
    newcomer.sign_up(NEWCOMER, link=fresh.first_link(), button="Make the account")
    expect(page.get_by_text("A project is one Flask app")).to_be_visible()

    page.get_by_role("link", name="Make the first project").click()
    page.get_by_label("Project name").fill("Shop")
    page.get_by_label("Team", exact=True).select_option("New team…")
    page.get_by_label("Name of the new team").fill("Bookshop")
    page.get_by_role("button", name="Create project").click()

    expect(page.get_by_text("Waiting for the first request…")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/projects/[0-9a-f]{16}$"))
    dsn = page.locator("#dsn").inner_text()
    assert dsn in page.locator("#code-plain").inner_text()
    for way in ("App factory", "Config file", "Environment", "Environment with Flask's prefix"):
        page.locator(".ways summary", has_text=re.compile(f"^{way} (app|config|shell)")).click()
        expect(page.locator("details[open] .code", has_text=dsn)).to_be_visible()
        expect(page.locator("details[open] .code", has_text="PerformanceCollector")).to_be_visible()

    app, collector = monitored_app(dsn)
    app.test_client().get("/books/7")
    assert collector.flush(app)
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    expect(page.get_by_role("row", name="GET /books/<int:number>")).to_be_visible()
    expect(page.locator(".ledger-line")).to_have_text("1 seen · 1 stored · 0 lost")
    expect(page.locator(".topbar .team")).to_have_text("Bookshop")

    assert page.locator(".headline .value").first.inner_text() == "1"
    expect(page.locator("throughput-chart .plot-empty")).to_be_hidden(timeout=DRAWN_MS)

    page.get_by_role("link", name="Set-up").click()
    assert page.locator("#dsn").inner_text() == dsn
    page.get_by_text(NEWCOMER).click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login"))


def test_the_copy_button_copies_the_dsn(person: Person) -> None:
    page = person.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.open("/projects/new")
    page.get_by_label("Project name").fill("Shop")
    page.get_by_label("Team", exact=True).select_option("New team…")
    page.get_by_label("Name of the new team").fill("Copyists")
    page.get_by_role("button", name="Create project").click()
    page.get_by_role("button", name="Copy DSN").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#dsn").inner_text()


def test_a_wrong_name_is_said_at_its_field(person: Person) -> None:
    page = person.open("/projects/new")
    page.get_by_label("Project name").fill("  ")
    page.get_by_label("Team", exact=True).select_option("New team…")
    page.get_by_label("Name of the new team").fill("Bookshop")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_text("Give the project a name.")).to_be_visible()
    expect(page.get_by_label("Project name")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name of the new team")).to_have_value("Bookshop")
    page.get_by_label("Project name").fill("Shop")
    page.get_by_role("button", name="Create project").click()
    expect(page.locator(".topbar .team")).to_have_text("Bookshop")


def test_a_person_goes_on_where_the_error_is(visitor: Person) -> None:
    page = visitor.open("/signup")
    page.get_by_label("Email").fill("zed@example.com")
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator(".errors")).to_have_text(re.compile("at least 8 characters"))
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.locator(".hint")).to_have_count(0)


def test_a_wrong_password_is_said_in_words(person: Person) -> None:
    page = person.page
    page.context.clear_cookies()
    person.open("/login")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("The email or the password is wrong"))
