"""A project's settings and keys in a real browser, on a real platform, with a real app."""

import json
import re
import time

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import expect

from tests.server.batches import batch
from tests.support.http import fetch
from tests.support.platform import Platform
from tests.support.waiting import wait_for

from .person import Person
from .world import monitored_app, post_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: What the meter saves in a rhythm of 2 s is on the page by then, on a loaded machine, too.
SAVED_MS = 15_000
JSON = {"Content-Type": "application/json"}


def post(dsn: str, requests: int, number: int) -> int:
    """The collector's status for a batch."""
    document = batch(number=number, requests=requests)
    return fetch(dsn, "POST", json.dumps(document).encode(), JSON).status


def open_project(person: Person, name: str) -> str:
    """The path of a project of the list."""
    page = person.open("/projects")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page).to_have_url(re.compile(r"/projects/[0-9a-f]{16}$"))
    return page.url.removeprefix(person.base)


def test_a_new_name_and_the_projects_own_time(person: Person, platform: Platform) -> None:
    dsn = platform.create_project("Shoop")
    post_rows(dsn, [{"route": "/", "status": 200}])
    path = open_project(person, "Shoop")
    page = person.page
    expect(page.locator(".foot [data-zone]")).to_have_text("Europe/Berlin")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Name", exact=True).fill("Bookshop")
    page.get_by_label("Time zone").fill("Asia/Kathmandu")
    page.get_by_label("Apdex threshold, ms").fill("250")
    page.get_by_role("region", name="General").get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.locator(".topbar strong")).to_have_text("Bookshop")

    person.open(path)
    expect(page.locator(".foot [data-zone]")).to_have_text("Asia/Kathmandu")
    expect(page.locator(".headline")).to_contain_text("250 ms satisfies")
    times = page.locator("#panel-requests time").first
    shown = times.inner_text()
    minute = page.evaluate(
        """element => new Date(element.dateTime).toLocaleTimeString("en-GB",
           {timeZone: "Asia/Kathmandu", hour: "2-digit", minute: "2-digit"})""",
        times.element_handle(),
    )
    assert shown.startswith(minute)


def test_a_key_from_its_making_to_its_end(person: Person, platform: Platform) -> None:
    platform.create_project("Keys")
    path = open_project(person, "Keys")
    page = person.open(f"{path}/keys")
    page.get_by_label("Name", exact=True).fill("Staging")
    page.get_by_role("button", name="Create key").click()
    key = page.locator(".keys > li", has=page.get_by_role("heading", name="Staging"))
    expect(key).to_contain_text("never used")
    dsn = key.locator("code").inner_text()

    app, collector = monitored_app(dsn)
    app.test_client().get("/books/7")
    assert collector.flush(app)
    deadline = time.monotonic() + SAVED_MS / 1000
    while "1 request ·" not in key.inner_text() and time.monotonic() < deadline:
        page.reload()
    expect(key).to_contain_text("1 request · last used")

    key.get_by_role("link", name="Revoke").click()
    expect(page.get_by_text("Apps that use it are refused within a second")).to_be_visible()
    assert not Axe().run(page).response["violations"]
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("status")).to_contain_text("“Staging” is revoked")
    wait_for(lambda: post(dsn, 1, 2) == 401, 5, "the collector to refuse the key")
    expect(page.get_by_role("row", name="Staging")).to_be_visible()

    person.open(f"{path}/setup")
    page.get_by_text("Nothing arrives?").click()
    expect(page.locator("#panel-refusals")).to_contain_text(
        "A revoked key was used", timeout=SAVED_MS
    )


def test_the_set_up_page_says_what_is_refused_while_it_waits(
    person: Person, platform: Platform
) -> None:
    dsn = platform.create_project("Waiting")
    page = person.page
    open_project(person, "Waiting")
    page.get_by_text("Nothing arrives?").click()
    refusals = page.locator("#panel-refusals")
    expect(refusals).to_contain_text("refused nothing of this project so far")
    assert fetch(dsn, "POST", b"{", JSON).status == 400
    expect(refusals).to_contain_text("A body was not the wire format once", timeout=SAVED_MS)
    expect(page.get_by_text("Waiting for the first request…")).to_be_visible()


def test_a_quota_holds_back_and_says_so(person: Person, platform: Platform) -> None:
    dsn = platform.create_project("Quota")
    path = open_project(person, "Quota")
    page = person.open(f"{path}/settings")
    page.get_by_label("Requests a minute").fill("5")
    page.get_by_role("region", name="Kept for, and quotas").get_by_role(
        "button", name="Save"
    ).click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    numbers = iter(range(1, 100))
    wait_for(lambda: post(dsn, 10, next(numbers)) == 429, 20, "the quota to be full")
    person.open(path)
    expect(page.locator("#panel-quota")).to_contain_text(
        "Over its quota of 5 requests a minute since", timeout=SAVED_MS
    )
    expect(page.locator("#panel-quota")).to_contain_text("10 of them in batches")
    page.locator("#panel-ledger summary").click()
    expect(page.locator("#panel-ledger")).to_contain_text("10 requests held back")


def test_a_deleted_project_is_gone(person: Person, platform: Platform) -> None:
    dsn = platform.create_project("Doomed")
    post_rows(dsn, [{"route": "/", "status": 200}])
    path = open_project(person, "Doomed")
    page = person.open(f"{path}/settings")
    page.get_by_label("Type Doomed to confirm").fill("doomed")
    page.get_by_role("button", name="Delete the project").click()
    expect(page.locator(".errors")).to_have_text("Type Doomed to delete the project.")
    page.get_by_label("Type Doomed to confirm").fill("Doomed")
    page.get_by_role("button", name="Delete the project").click()
    expect(page).to_have_url(f"{person.base}/projects")
    expect(page.get_by_role("status")).to_contain_text("Doomed is deleted")
    expect(page.get_by_role("link", name="Doomed")).to_have_count(0)
    wait_for(lambda: post(dsn, 1, 7) == 401, 5, "the collector to refuse the project's key")
    answer = page.goto(person.base + path)
    assert answer is not None
    assert answer.status == 404
