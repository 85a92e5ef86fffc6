"""A real Chromium on a real platform: one process, or with HOMES=scaled the whole scaled set."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.platform import Platform, running_platform
from tests.support.scaled_platform import Serve, scaled_homes

from .person import Person
from .world import Past

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Starts platforms. The three servers of the scaled set are started once for all of them."""
    if os.environ.get("HOMES") != "scaled":
        yield running_platform
        return
    with scaled_homes() as serve:
        yield serve


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all these tests, and gone after them: Playwright's event loop runs in this thread,
    where no test of asyncio could start its own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def platform(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that the tests of a module share, with one user. Projects are each test's own."""
    data = tmp_path_factory.mktemp("platform") / "data"
    with serve(data, FLASK_PERFORMANCE_SIGNUP="open") as platform:
        platform.create_user()
        yield platform


@pytest.fixture
def visitor(browser: Browser, platform: Platform) -> Iterator[Person]:
    """Somebody without an account."""
    with Person.at(browser, platform.url) as person:
        yield person


@pytest.fixture
def person(browser: Browser, platform: Platform) -> Iterator[Person]:
    """The user, logged in."""
    with Person.at(browser, platform.url) as person:
        person.log_in()
        yield person


@pytest.fixture(scope="module")
def busy(platform: Platform) -> Platform:
    """A platform with a busy project, a smaller one and a new one."""
    shop = platform.create_project("Shop")
    Past(1800, 12, until=700, release="2.3.1").post(shop, dropped=12)
    Past(700, 12, seed=3, release="2.4.0", slower=1.3).post(shop)
    Past(seconds=600, per_second=1, seed=2).post(platform.create_project("Blog"), "staging")
    platform.create_project("New one")
    return platform


@pytest.fixture
def pages(busy: Platform, person: Person) -> dict[str, str]:
    """The path of every page."""
    page = person.open("/projects")
    expect(page.get_by_role("row", name="Blog")).not_to_contain_text("waiting")
    paths = {
        name: page.get_by_role("link", name=name).get_attribute("href") or ""
        for name in ("Shop", "New one")
    }
    return {
        "projects": "/projects",
        "overview": paths["Shop"],
        "operation": paths["Shop"] + "/operations?method=GET&route=/search",
        "requests": paths["Shop"] + "/requests?duration_from=100",
        "request": f"{paths['Shop']}/requests/{request_of(page, paths['Shop'])}",
        "unmatched": paths["Shop"] + "/unmatched?range=1h",
        "instances": paths["Shop"] + "/instances?range=1h",
        "routes": paths["Shop"] + "/routes?range=1h",
        "setup": paths["New one"],
        "keys": paths["Shop"] + "/keys",
        "settings": paths["Shop"] + "/settings",
        "new-project": "/projects/new",
        "new-team": "/teams/new",
        "not-found": "/projects/0000000000000000",
        "wrong": paths["Shop"] + "?range=9",
    }


def request_of(page: Page, path: str) -> str:
    """The id of a project's newest request."""
    base = page.url.removesuffix("/projects")
    newest = page.request.get(f"{base}{path}/requests.json?range=1h").json()[0]
    return str(newest["id"])
