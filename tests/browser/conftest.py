"""A real Chromium on a real platform."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.platform import Platform, running_platform

from .person import Person

CHROMIUM = "/usr/bin/chromium"


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
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that the tests of a module share, with one user. Projects are each test's own."""
    data = tmp_path_factory.mktemp("platform") / "data"
    with running_platform(data, FLASK_PERFORMANCE_SIGNUP="open") as platform:
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
