"""A person at a browser; whatever the console complains about fails the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.support.platform import EMAIL, PASSWORD

WIDE = 1440
NARROW = 390
HEIGHT = 900
#: How long an action may wait for its element.
PATIENCE_MS = 10_000


class Person:
    """One browser context, with the few things that every test does."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @classmethod
    @contextmanager
    def at(cls, browser: Browser, base: str, **context: Any) -> Iterator[Self]:
        """A person in a fresh browser context; its options are Playwright's."""
        options = {"viewport": {"width": WIDE, "height": HEIGHT}, "timezone_id": "Europe/Berlin"}
        opened = browser.new_context(**{**options, **context})
        opened.set_default_timeout(PATIENCE_MS)
        try:
            person = cls(opened.new_page(), base)
            yield person
            assert not person.complaints, person.complaints
        finally:
            opened.close()

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def log_in(self, email: str = EMAIL, password: str = PASSWORD, to: str = "/projects") -> None:
        """`to` is the path where the person lands."""
        self.open("/login")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page).to_have_url(f"{self.base}{to}")

    def sign_up(
        self,
        email: str = EMAIL,
        password: str = PASSWORD,
        link: str = "/signup",
        button: str = "Sign up",
    ) -> None:
        """By a link, which is that to the first account where there is none."""
        self.open(link)
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name=button).click()
        expect(self.page).to_have_url(f"{self.base}/projects")

    def scroll_width(self) -> int:
        """How wide the page is, what is off the screen included."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        return width

    def _console(self, message: ConsoleMessage) -> None:
        # An answer other than 2xx is what some tests ask for; they check it themselves.
        if message.type == "error" and "status of 4" not in message.text:
            self.complaints.append(message.text)
