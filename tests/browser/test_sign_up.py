"""Sign-up by an invitation in a mail, and the pages of visitors at every width in both themes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, expect

from tests.support.mail import SENDER, LetterBox, mail_server, text
from tests.support.platform import PASSWORD, Platform
from tests.support.scaled_platform import Serve

from .person import HEIGHT, NARROW, WIDE, Person
from .test_teams import make_team

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GUEST = "grace@example.com"


@pytest.fixture(scope="module")
def box() -> Iterator[LetterBox]:
    with mail_server() as (box, port):
        box.port = port
        yield box


@pytest.fixture(scope="module")
def platform(
    serve: Serve, tmp_path_factory: pytest.TempPathFactory, box: LetterBox
) -> Iterator[Platform]:
    """A server as it is set by default, which sends mail; it has one user."""
    data = tmp_path_factory.mktemp("mailing") / "data"
    smtp = f"smtp://127.0.0.1:{box.port}"
    with serve(
        data, FLASK_PERFORMANCE_SMTP_URL=smtp, FLASK_PERFORMANCE_MAIL_FROM=SENDER
    ) as platform:
        platform.create_user()
        yield platform


def link(box: LetterBox, platform: Platform, number: int) -> str:
    """The path of the link in the mail of that number."""
    letter = box.wait(number)[-1]
    assert letter["To"] == GUEST
    found = re.search(rf"{platform.url}(/\S{{20,}})", text(letter))
    assert found, text(letter)
    return found[1]


def test_from_the_invitation_to_the_team(
    platform: Platform, box: LetterBox, person: Person, visitor: Person
) -> None:
    make_team(person, "Bookshop")
    person.page.get_by_label("Email").fill(GUEST)
    person.page.get_by_role("button", name="Make the link").click()
    expect(person.page.get_by_role("row", name=GUEST)).to_be_visible()

    page = visitor.open(link(box, platform, 1))
    page.get_by_role("link", name="Sign up").click()
    expect(page.get_by_text("You are invited to the team Bookshop.")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value(GUEST)
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_contain_text("a mail with the link is on its way")

    visitor.log_in(GUEST, to="/login")
    expect(page.get_by_role("alert")).to_contain_text("This address is not confirmed yet")
    visitor.open(link(box, platform, 2))
    expect(page.get_by_role("status")).to_have_text("Your address is confirmed. Log in.")
    visitor.log_in(GUEST, to=link(box, platform, 1))
    page.get_by_role("button", name="Join the team").click()
    expect(page.get_by_text("Welcome to the team 'Bookshop'.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_pages_of_visitors(
    browser: Browser, platform: Platform, tmp_path: Path, width: int, scheme: str
) -> None:
    view = {"viewport": {"width": width, "height": HEIGHT}, "color_scheme": scheme}
    with Person.at(browser, platform.url, **view) as visitor:
        for path in ("/login", "/signup", "/reset", "/confirm", "/signup?first=old"):
            page = visitor.open(path)
            fits_and_is_for_everybody(visitor, path)
            page.screenshot(path=tmp_path / f"{re.sub(r'[^a-z]', '-', path)}.png")


def test_pages_of_an_empty_server(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    with serve(tmp_path / "empty") as empty:
        first = empty.first_link()
        view = {"viewport": {"width": NARROW, "height": HEIGHT}}
        with Person.at(browser, empty.url, **view) as visitor:
            for path in ("/login", "/signup", "/signup?first=old", first):
                visitor.open(path)
                fits_and_is_for_everybody(visitor, path)
            expect(visitor.page.get_by_text("You will be the administrator")).to_be_visible()
            assert visitor.page.url == f"{empty.url}/signup", "the secret left the address"


def fits_and_is_for_everybody(visitor: Person, path: str) -> None:
    assert visitor.scroll_width() == visitor.page.viewport_size["width"], path  # type: ignore[index]
    violations = Axe().run(visitor.page).response["violations"]
    assert not violations, (path, [(one["id"], one["nodes"][0]["html"]) for one in violations])
