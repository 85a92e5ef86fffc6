"""A person's account in a real browser: passkeys, second factors, devices, and how it all looks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from passlib.totp import TOTP  # type: ignore[import-untyped]
from playwright.sync_api import Browser, CDPSession, expect

from tests.support.platform import PASSWORD, Platform

from .person import HEIGHT, NARROW, WIDE, Person

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NUMBERS = count(1)
#: A page of Flask-Security's goes on by itself once the browser has an answer.
ANSWERED_MS = 20_000


@pytest.fixture
def email(platform: Platform) -> str:
    """A new account of each test's own."""
    address = f"person{next(NUMBERS)}@example.com"
    platform.create_user(address)
    return address


@pytest.fixture
def base(platform: Platform) -> str:
    """By name: an address of numbers can have no passkeys."""
    return platform.url.replace("127.0.0.1", "localhost")


@contextmanager
def browsing(browser: Browser, base: str) -> Iterator[Person]:
    with Person.at(browser, base) as person:
        yield person


@pytest.fixture
def person(browser: Browser, base: str, email: str) -> Iterator[Person]:
    with browsing(browser, base) as person:
        person.log_in(email)
        yield person


class Authenticator:
    """A passkey device that is part of the browser (Chrome DevTools Protocol, WebAuthn)."""

    def __init__(self, person: Person, *, verifies: bool = True, stores: bool = True) -> None:
        self.session: CDPSession = person.page.context.new_cdp_session(person.page)
        self.session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal" if stores else "usb",
            "hasResidentKey": stores,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        made = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.id = made["authenticatorId"]

    def keys(self) -> int:
        found = self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return len(found["credentials"])

    def verify(self, verified: bool) -> None:
        """Whether the next touch comes with the right finger."""
        self.session.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified}
        )


def log_out(person: Person) -> None:
    person.page.locator(".account summary").click()
    person.page.get_by_role("button", name="Log out").click()
    expect(person.page).to_have_url(re.compile("/login"))


def give_password(person: Person, email: str) -> None:
    page = person.open("/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


def add_passkey(person: Person, name: str, usage: str) -> None:
    page = person.open("/account/passkeys")
    page.get_by_label("Name").fill(name)
    page.get_by_label(usage).check()
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("row", name=name)).to_be_visible(timeout=ANSWERED_MS)


class TestPasskeys:
    def test_one_logs_in_without_address_and_password(self, person: Person, email: str) -> None:
        device = Authenticator(person)
        add_passkey(person, "Work laptop", "alone")
        assert device.keys() == 1
        log_out(person)
        page = person.page
        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(f"{person.base}/projects", timeout=ANSWERED_MS)
        expect(page.locator(".account summary")).to_have_text(email)
        row = person.open("/account/passkeys").get_by_role("row", name="Work laptop")
        expect(row).to_contain_text("ago")

    def test_without_the_right_finger_nobody_gets_in(self, person: Person, email: str) -> None:
        device = Authenticator(person)
        add_passkey(person, "Work laptop", "alone")
        log_out(person)
        device.verify(False)
        page = person.page
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_text("The passkey was not used")).to_be_visible(timeout=ANSWERED_MS)
        device.verify(True)
        page.get_by_role("button", name="Try again").click()
        expect(page).to_have_url(f"{person.base}/projects", timeout=ANSWERED_MS)

    def test_one_as_second_factor_follows_the_password(self, person: Person, email: str) -> None:
        Authenticator(person, verifies=False, stores=False)
        add_passkey(person, "Security key", "after the password")
        log_out(person)
        give_password(person, email)
        page = person.page
        expect(page.get_by_role("heading", name="Use the passkey")).to_be_visible()
        assert person.base + "/login/passkey" in page.url
        page.get_by_role("button", name="Use the passkey").click()
        expect(page).to_have_url(f"{person.base}/projects", timeout=ANSWERED_MS)

    def test_a_deleted_one_opens_nothing(self, person: Person) -> None:
        Authenticator(person)
        add_passkey(person, "Old phone", "alone")
        page = person.page
        page.locator(".passkeys summary").click()
        page.get_by_role("button", name="Delete the passkey").click()
        expect(page.get_by_text("The passkey Old phone is deleted.")).to_be_visible()
        log_out(person)
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_text("This server does not know that passkey")).to_be_visible(
            timeout=ANSWERED_MS
        )

    def test_one_makes_a_log_in_fresh(self, person: Person, email: str) -> None:
        Authenticator(person)
        add_passkey(person, "Work laptop", "alone")
        page = person.open("/verify?next=/account/delete")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(f"{person.base}/account/delete", timeout=ANSWERED_MS)

    def test_at_an_address_of_numbers_the_page_says_why_not(
        self, browser: Browser, platform: Platform, email: str
    ) -> None:
        if "127.0.0.1" not in platform.url:
            pytest.skip("this one is served by a name alone")
        with browsing(browser, platform.url) as person:
            person.log_in(email)
            page = person.open("/account/passkeys")
            expect(page.get_by_text("127.0.0.1 is a number")).to_be_visible()
            expect(page.get_by_role("button", name="Add the passkey")).to_have_count(0)


def turn_on_app(person: Person) -> TOTP:
    """Scan nothing: type the key, as the page offers."""
    page = person.open("/account/security")
    page.get_by_role("link", name="Turn on").click()
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code for an authenticator app")).to_be_visible()
    phone = TOTP(key=page.locator("#totp-key").inner_text())
    page.get_by_role("textbox", name="Code").fill(phone.generate().token)
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_text("Two-factor log-in is on")).to_be_visible()
    return phone


def test_an_authenticator_app_and_a_recovery_code(
    person: Person, email: str, tmp_path: Path
) -> None:
    turn_on_app(person)
    page = person.page
    page.get_by_role("link", name="Make some").click()
    page.get_by_role("button", name="Make recovery codes").click()
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(codes) == 10
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "flask-performance-recovery-codes.txt"
    download.value.save_as(tmp_path / "codes.txt")
    assert (tmp_path / "codes.txt").read_text().split() == codes
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 codes left")).to_be_visible()

    log_out(person)
    give_password(person, email)
    expect(page.get_by_role("heading", name="Type the code")).to_be_visible()
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(codes[3])
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{person.base}/projects")
    expect(person.open("/account/security").get_by_text("9 codes left")).to_be_visible()


def test_a_device_is_signed_out_from_another(
    browser: Browser, base: str, person: Person, email: str
) -> None:
    with browsing(browser, base) as phone:
        phone.log_in(email)
        page = person.open("/account/devices")
        page.get_by_role("button", name=re.compile("^Sign out")).first.click()
        expect(page.get_by_text("The device is signed out.")).to_be_visible()
        phone.open("/projects")
        expect(phone.page).to_have_url(re.compile("/login"))
    expect(person.open("/projects").get_by_role("heading", name="Projects")).to_be_visible()


def test_an_account_is_deleted(person: Person, email: str) -> None:
    page = person.open("/account")
    page.get_by_role("link", name="Delete the account…").click()
    page.get_by_label("Your address").fill(email)
    page.get_by_role("button", name="Delete the account for ever").click()
    expect(page.get_by_text("Your account is deleted.")).to_be_visible()
    give_password(person, email)
    expect(page.get_by_role("alert")).to_be_visible()


PAGES = ("", "/security", "/devices", "/passkeys", "/email", "/delete", "/password", "/two-factor",
         "/recovery-codes")  # fmt: skip


def check(person: Person, name: str, picture: Path) -> None:
    """Nothing wider than the screen, nothing that axe finds."""
    violations = Axe().run(person.page).response["violations"]
    assert not violations, (name, [(one["id"], one["nodes"][0]["html"]) for one in violations])
    size = person.page.viewport_size
    assert size is not None
    assert person.scroll_width() == size["width"], name
    person.page.screenshot(path=picture)


def test_every_page_at_every_width_in_both_themes(
    person: Person, email: str, tmp_path: Path
) -> None:
    Authenticator(person)
    add_passkey(person, "A name that is as long as the names that people give to things", "alone")
    turn_on_app(person)
    page = person.page
    for width, scheme in ((WIDE, "light"), (NARROW, "dark"), (WIDE, "dark"), (NARROW, "light")):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for part in PAGES:
            person.open(f"/account{part}")
            check(person, part, tmp_path / f"account{part[1:]}-{scheme}-{width}.png")
        person.open("/account/two-factor")
        page.get_by_role("button", name="Set up another app").click()
        check(person, "setup", tmp_path / f"setup-{scheme}-{width}.png")
        person.open("/verify")
        check(person, "verify", tmp_path / f"verify-{scheme}-{width}.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_steps_of_a_log_in(
    browser: Browser, base: str, person: Person, email: str, scheme: str, tmp_path: Path
) -> None:
    Authenticator(person, verifies=False, stores=False)
    add_passkey(person, "Security key", "after the password")
    turn_on_app(person)
    with Person.at(browser, base, color_scheme=scheme) as visitor:
        give_password(visitor, email)
        expect(visitor.page.get_by_role("heading", name="Second factor")).to_be_visible()
        check(visitor, "which", tmp_path / "which.png")
        visitor.page.get_by_role("button", name="Authenticator app").click()
        check(visitor, "code", tmp_path / "code.png")
        visitor.page.get_by_role("link", name="Use a recovery code").click()
        check(visitor, "recovery", tmp_path / "recovery.png")
        visitor.open("/login/passkey")
        check(visitor, "passkey", tmp_path / "passkey.png")
