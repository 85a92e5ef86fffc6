"""The whole path: sign up, team, a second person, project, DSN, first request, revoked key."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server.batches import batch
from tests.support.http import fetch
from tests.support.platform import PASSWORD, Platform
from tests.support.scaled_platform import Serve
from tests.support.waiting import wait_for

from .person import Person
from .world import monitored_app

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GRACE = "grace@example.com"
BOB = "bob@example.com"


@pytest.fixture
def fresh(serve: Serve, tmp_path: Path) -> Iterator[Platform]:
    """A server that nobody has an account on. Sign-up is by invitation, as it is by default."""
    with serve(tmp_path / "fresh") as platform:
        yield platform


@pytest.fixture
def grace(browser: Browser, fresh: Platform) -> Iterator[Person]:
    with Person.at(browser, fresh.url) as grace:
        yield grace


@pytest.fixture
def bob(browser: Browser, fresh: Platform) -> Iterator[Person]:
    """At another computer."""
    with Person.at(browser, fresh.url) as bob:
        yield bob


def test_from_an_empty_server_to_a_refused_key(fresh: Platform, grace: Person, bob: Person) -> None:
    grace.sign_up(GRACE, link=fresh.first_link(), button="Make the account")
    invite_into_a_new_team(grace.page, grace, bob.page)
    dsn = create_a_project(bob.page)

    # Grace sees Bob's project wait, and turn live with its first request.
    grace.open("/projects").get_by_role("link", name="Shop", exact=True).click()
    expect(grace.page.get_by_text("Waiting for the first request…")).to_be_visible()
    app, collector = monitored_app(dsn)
    app.test_client().get("/books/7")
    assert collector.flush(app)
    for page in (grace.page, bob.page):
        expect(page.get_by_role("row", name="GET /books/<int:number>")).to_be_visible()
        expect(page.locator(".ledger-line")).to_have_text("1 seen · 1 stored · 0 lost")

    revoke_the_only_key(bob.page)
    wait_for(lambda: post(dsn) == 401, 10, "the collector to refuse the key")
    grace.page.get_by_role("link", name="Set-up").click()
    expect(grace.page.get_by_text("Every key of this project is revoked")).to_be_visible()


def invite_into_a_new_team(page: Page, grace: Person, bob: Page) -> None:
    grace.open("/teams/new")
    page.get_by_label("Team name").fill("Bookshop")
    page.get_by_role("button", name="Create team").click()
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("combobox", name="Role", exact=True).select_option("Member")
    page.get_by_role("button", name="Make the link").click()
    bob.goto(page.locator("#invitation-link").inner_text())
    bob.get_by_role("link", name="Sign up").click()
    bob.get_by_label("Email").fill(BOB)
    bob.get_by_label("Password").fill(PASSWORD)
    bob.get_by_role("button", name="Sign up").click()
    bob.get_by_role("button", name="Join the team").click()
    expect(bob.get_by_text("Welcome to the team 'Bookshop'.")).to_be_visible()


def create_a_project(page: Page) -> str:
    """The DSN that the set-up page shows."""
    page.get_by_role("link", name="New project").first.click()
    page.get_by_label("Project name").fill("Shop")
    page.get_by_label("Team", exact=True).select_option("Bookshop")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_text("Waiting for the first request…")).to_be_visible()
    return page.locator("#dsn").inner_text()


def revoke_the_only_key(page: Page) -> None:
    page.get_by_role("link", name="Keys").click()
    page.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()


def post(dsn: str) -> int:
    """The collector's status for a batch."""
    body = json.dumps(batch(number=1, requests=1)).encode()
    return fetch(dsn, "POST", body, {"Content-Type": "application/json"}).status
