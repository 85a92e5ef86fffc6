"""A team in two browsers: invite, sign up by the link, join, change a role, remove."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, expect

from tests.support.platform import PASSWORD, Platform

from .person import HEIGHT, NARROW, WIDE, Person
from .world import Past

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BOB = "bob@example.com"
#: An open page hears within seconds that its person was removed; with room for a slow machine.
NOTICED_MS = 30_000


@pytest.fixture
def bob(browser: Browser, platform: Platform) -> Iterator[Person]:
    """Somebody at another computer, without an account."""
    with Person.at(browser, platform.url) as bob:
        yield bob


def make_team(person: Person, name: str) -> None:
    """A new team, open at its people."""
    page = person.open("/teams")
    page.get_by_role("link", name="New team").or_(
        page.get_by_role("link", name="Make the first team")
    ).first.click()
    page.get_by_label("Team name").fill(name)
    page.get_by_role("button", name="Create team").click()
    expect(page).to_have_url(re.compile(r"/teams/[0-9a-f]{16}$"))
    page.get_by_role("link", name="People", exact=True).click()


def test_a_second_person_joins_gets_a_role_and_is_removed(
    platform: Platform, person: Person, bob: Person
) -> None:
    Past(seconds=60, per_second=2).post(platform.create_project("Shop", "--team", "Bookshop"))
    ada, page = person.page, bob.page
    person.open("/teams")
    ada.get_by_role("link", name="Bookshop").click()
    ada.get_by_role("link", name="People", exact=True).click()

    # Ada makes a link, and hands it over.
    ada.get_by_role("combobox", name="Role", exact=True).select_option("Viewer")
    ada.get_by_role("button", name="Make the link").click()
    expect(ada.get_by_role("heading", name="Copy the link now")).to_be_visible()
    link = ada.locator("#invitation-link").inner_text()
    assert link.startswith(f"{platform.url}/invitations/")
    expect(ada.get_by_role("row", name="Whoever has the link Viewer")).to_be_visible()

    # Bob opens it, signs up and joins.
    page.goto(link)
    expect(page.get_by_text("invites you to the team Bookshop")).to_be_visible()
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill(BOB)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Join Bookshop")).to_be_visible()
    page.get_by_role("button", name="Join the team").click()
    expect(page.get_by_text("Welcome to the team 'Bookshop'.")).to_be_visible()
    expect(page.get_by_text("You are a viewer here")).to_be_visible()
    expect(page.get_by_role("link", name="New project")).to_have_count(0)
    expect(page.get_by_role("link", name="Audit log")).to_have_count(0)

    # Ada makes him an admin: the next page that he opens knows.
    ada.goto(ada.url)
    row = ada.get_by_role("row", name=re.compile(f"^{BOB}"))
    row.get_by_label(f"Role of {BOB}").select_option("Admin")
    row.get_by_role("button", name="Change").click()
    expect(ada.get_by_text(f"{BOB} is an admin now.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("You are an admin here")).to_be_visible()
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("row", name="changed a role")).to_contain_text("viewer → admin")

    # Bob watches the project; Ada removes him; his page ends by itself.
    page.get_by_label("Pages of this team").get_by_role("link", name="Projects").click()
    page.get_by_role("link", name="Shop", exact=True).click()
    expect(page.locator("live-stream")).to_have_text(re.compile("live · "))
    row.get_by_text("Remove").first.click()
    ada.get_by_role("button", name="Remove from the team").click()
    expect(ada.get_by_text(f"{BOB} is not in the team any more.")).to_be_visible()
    expect(page.get_by_text("There is nothing here")).to_be_visible(timeout=NOTICED_MS)
    bob.open("/projects")
    expect(page.get_by_role("link", name="Shop")).to_have_count(0)

    # And the link that he came by is used.
    page.goto(link)
    expect(page.get_by_role("heading", name="This invitation does not work")).to_be_visible()


def test_the_link_of_an_invitation_is_copied(person: Person) -> None:
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    make_team(person, "Copyists")
    page = person.page
    page.get_by_role("button", name="Make the link").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#invitation-link").inner_text()


def test_a_team_goes_by_its_typed_name_alone(person: Person) -> None:
    make_team(person, "Passing")
    page = person.page
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.get_by_text("You are its last owner.")).to_be_visible()
    page.get_by_label("Type Passing to delete it").fill("passing")
    page.get_by_role("button", name="Delete the team").click()
    expect(page.get_by_text("Nothing was deleted.")).to_be_visible()
    page.get_by_label("Type Passing to delete it").fill("Passing")
    page.get_by_role("button", name="Delete the team").click()
    expect(page.get_by_text("The team 'Passing' is deleted")).to_be_visible()
    expect(page.get_by_role("row", name="Passing")).to_have_count(0)


@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_pages_of_a_team_fit_and_are_for_everybody(
    browser: Browser, platform: Platform, person: Person, width: int, scheme: str
) -> None:
    page = person.page
    make_team(person, f"Everybody's, {width} pixels wide, a name that goes on for a while")
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    team = page.url.removesuffix("/members")
    page.get_by_label("Email").fill("somebody.with.a.long.address@department.example.com")
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("#invitation-link").inner_text()
    page.get_by_text("What each role may do").click()
    check(person, width)
    for path in ("", "/audit", "/settings"):
        page.goto(team + path)
        check(person, width)
    with Person.at(browser, platform.url, viewport={"width": width, "height": HEIGHT}) as visitor:
        for address in (link, f"{link}x"):
            visitor.page.goto(address)
            check(visitor, width)
    page.goto(link)
    check(person, width)


def check(person: Person, width: int) -> None:
    """Nothing sticks out, and assistive technology finds its way."""
    assert person.scroll_width() == width, person.page.url
    violations = Axe().run(person.page).response["violations"]
    assert not violations, [(one["id"], one["nodes"][0]["html"]) for one in violations]


def test_every_step_works_without_javascript(browser: Browser, platform: Platform) -> None:
    with Person.at(browser, platform.url, java_script_enabled=False) as person:
        person.log_in()
        make_team(person, "Plain")
        page = person.page
        page.get_by_label("Email").fill("eve@example.com")
        page.get_by_role("button", name="Make the link").click()
        expect(page.locator("#invitation-link")).to_have_text(re.compile("/invitations/"))
        page.get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("The invitation is revoked")).to_be_visible()
        page.get_by_role("link", name="Audit log").click()
        page.get_by_role("link", name="Invitations", exact=True).click()
        expect(page.get_by_role("row", name="eve@example.com as member")).to_have_count(2)
