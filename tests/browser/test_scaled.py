"""Every page on the whole scaled set: PostgreSQL, RabbitMQ, ClickHouse, a process of each kind.

`make test-homes` runs all the other tests of this folder there, too.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.platform import Platform
from tests.support.scaled_platform import Serve, scaled_homes

from .person import Person
from .world import Past, monitored_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Two parts more than one process has between an app and a page, on a machine with all of it.
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    with scaled_homes() as serve:
        yield serve


def test_every_page_opens(person: Person, pages: dict[str, str]) -> None:
    missing = {"not-found": 404, "wrong": 400}
    for name, path in pages.items():
        answer = person.page.goto(person.base + path)
        assert answer is not None
        assert answer.status == missing.get(name, 200), name
        expect(person.page.locator("h1").first).to_be_visible()


def test_a_page_is_live_and_its_totals_are_what_was_sent(
    person: Person, platform: Platform
) -> None:
    dsn = platform.create_project("Counted")
    past = Past(seconds=600, per_second=2)
    past.post(dsn)
    page = person.open("/projects")
    expect(page.get_by_role("row", name="Counted")).to_contain_text("steady", timeout=PATIENCE_MS)
    page.get_by_role("link", name="Counted").click()
    expect(page.locator("live-stream")).to_have_text(re.compile("live · "))

    def says(sent: int) -> None:
        line = f"{sent:,} seen · {sent:,} stored · 0 lost"
        expect(page.locator(".ledger-line")).to_have_text(line, timeout=PATIENCE_MS)

    says(past.sent)
    app, collector = monitored_app(dsn)
    app.test_client().get("/broken")
    assert collector.flush(app)
    row = page.locator("#panel-operations").get_by_role("row", name="GET /broken")
    expect(row).to_be_visible(timeout=PATIENCE_MS)
    says(past.sent + 1)

    pages = page.get_by_role("navigation", name="Pages of this project")
    pages.get_by_role("link", name="Requests").click()
    total = page.locator("#panel-explorer .panel-head b").first
    expect(total).to_have_text(f"{past.sent + 1:,}")
