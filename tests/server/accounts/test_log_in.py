"""Sign-up, log-in, log-out and password reset, as a browser meets them."""

import logging
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask

from flask_performance.server.accounts import users

from .support import EMAIL, PASSWORD, Browser, make_app, words

#: In an interpreter of its own: this one hashes quickly, for the other tests.
SIGN_UP = (
    "import sys; from pathlib import Path; from tests.server.accounts.support import *; "
    "Browser(make_app(Path(sys.argv[1]))).sign_up()"
)


def test_sign_up_needs_email_and_password_and_logs_in(browser: Browser) -> None:
    answer = browser.sign_up()
    assert (answer.status_code, answer.location) == (302, "/projects")
    assert browser.logged_in_as() == EMAIL


def test_passwords_are_hashed_slowly(data: Path) -> None:
    """A stolen database must be guessed at a few dozen passwords a second and core."""
    subprocess.run([sys.executable, "-c", SIGN_UP, str(data)], check=True)
    with closing(sqlite3.connect(data / "accounts.sqlite3")) as database:
        [(stored,)] = database.execute("SELECT password FROM users")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_log_out_and_log_in_again(browser: Browser) -> None:
    browser.sign_up()
    assert browser.log_out().location == "/login"
    assert browser.logged_in_as() is None
    answer = browser.log_in(email="ADA@example.org")
    assert (answer.status_code, answer.location) == (302, "/projects")
    assert browser.logged_in_as() == EMAIL


def test_log_out_by_a_link_does_nothing(browser: Browser) -> None:
    browser.sign_up()
    browser.get("/logout")
    assert browser.logged_in_as() == EMAIL


def test_a_page_for_members_comes_back_after_log_in(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    visitor = Browser(app)
    login = visitor.get("/projects").location
    assert login == "/login?next=/projects"
    assert visitor.log_in(query="?next=/projects").location == "/projects"


@pytest.mark.parametrize(
    ("email", "password", "fault"),
    [
        ("not an address", PASSWORD, "Invalid email address"),
        (EMAIL, "short", "at least 8 characters"),
        ("", PASSWORD, "Email not provided"),
        (EMAIL, "", "Password not provided"),
    ],
)
def test_sign_up_says_what_is_wrong(
    browser: Browser, email: str, password: str, fault: str
) -> None:
    assert fault in words(browser.sign_up(email, password))
    assert browser.logged_in_as() is None


@pytest.mark.parametrize("email", ["ada@intranet.local", "ada@localhost"])
def test_addresses_of_a_companys_own_network_can_sign_up(browser: Browser, email: str) -> None:
    browser.sign_up(email)
    assert browser.logged_in_as() == email


def test_sign_up_takes_no_other_field(app: Flask, browser: Browser) -> None:
    browser.sign_up("first@example.org")
    browser = Browser(app)
    browser.post(
        "/signup", form_at="/signup", email=EMAIL, password=PASSWORD, id="77", active="",
        fs_uniquifier="chosen", created_at="1999-01-01", administrator="y",
        confirmed_at="1999-01-01",
    )  # fmt: skip
    with app.app_context():
        user = users.user_by_email(EMAIL)
        assert user is not None
        assert (user.id, user.active, user.administrator) == (2, True, False)
        assert user.confirmed_at is None
        assert user.fs_uniquifier != "chosen"
        assert user.created_at.year > 1999


class TestEnumeration:
    """Nobody learns from an answer whether an address has an account."""

    def test_log_in(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        visitor = Browser(app)
        wrong = words(visitor.log_in(EMAIL, "wrong password"))
        unknown = words(visitor.log_in("bob@example.org", "wrong password"))
        assert wrong == unknown
        assert "Authentication failed" in wrong

    def test_sign_up(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        visitor = Browser(app)
        answer = visitor.sign_up(password="another password")
        assert (answer.status_code, answer.location) == (302, "/projects")
        assert visitor.logged_in_as() is None
        assert "already" not in words(answer)

    def test_reset(self, app: Flask, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
        browser.sign_up()
        visitor = Browser(app)
        known = words(visitor.post("/reset", email=EMAIL))
        caplog.clear()
        unknown = words(visitor.post("/reset", email="bob@example.org"))
        assert known == unknown.replace("bob@", "ada@")
        assert "If this address has an account" in known
        assert not caplog.records


class TestReset:
    def link(self, app: Flask, caplog: pytest.LogCaptureFixture, base: str) -> str:
        caplog.set_level(logging.WARNING)
        Browser(app, base).post("/reset", email=EMAIL)
        (record,) = caplog.records
        match = re.search(r"https?://\S+", record.getMessage())
        assert match
        return match[0]

    def test_the_link_in_the_log_sets_a_password(
        self, app: Flask, browser: Browser, caplog: pytest.LogCaptureFixture
    ) -> None:
        browser.sign_up()
        link = self.link(app, caplog, "http://localhost")
        assert link.startswith("http://127.0.0.1:8000/reset/")
        path = link.removeprefix("http://127.0.0.1:8000")
        visitor = Browser(app)
        new = {"password": "a new password", "password_confirm": "a new password"}
        assert visitor.post(path, form_at=path, **new).location == "/login"
        assert browser.logged_in_as() is None, "the sessions of the old password end"
        visitor.log_in(password=PASSWORD)
        assert visitor.logged_in_as() is None
        visitor.log_in(password="a new password")
        assert visitor.logged_in_as() == EMAIL

        again = Browser(app)
        again.post_bare(path, csrf_token=again.csrf_token("/login"), **new)
        assert again.get(path).status_code == 302, "a link works once"

    def test_whoever_asks_does_not_choose_the_links_host(
        self, data: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = make_app(data, url="https://metrics.example.com")
        Browser(app, "https://metrics.example.com").sign_up()
        link = self.link(app, caplog, "https://evil.example")
        assert link.startswith("https://metrics.example.com/reset/")

    def test_an_invented_link_is_refused(self, browser: Browser) -> None:
        answer = browser.get("/reset/invented")
        assert (answer.status_code, answer.location) == (302, "/reset")


class TestSession:
    """Whoever planted a cookie before the log-in has nothing of the session after it."""

    def plant(self, app: Flask) -> tuple[Browser, str, str]:
        """A victim's browser with an attacker's cookie: the cookie and its CSRF token."""
        attacker = Browser(app)
        token = attacker.csrf_token("/login")
        cookie = attacker.client.get_cookie("session")
        assert cookie is not None
        victim = Browser(app)
        victim.client.set_cookie("session", cookie.value)
        return victim, cookie.value, token

    def test_a_planted_session_is_another_after_the_log_in(
        self, app: Flask, browser: Browser
    ) -> None:
        browser.sign_up()
        victim, planted, token = self.plant(app)
        victim.post_bare("/login", csrf_token=token, email=EMAIL, password=PASSWORD)
        assert victim.logged_in_as() == EMAIL
        attacker = Browser(app)
        attacker.client.set_cookie("session", planted)
        assert attacker.logged_in_as() is None
        forged = victim.post_bare("/logout", csrf_token=token)
        assert forged.status_code == 400
        assert victim.logged_in_as() == EMAIL

    def test_a_new_password_ends_every_session(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        other = Browser(app)
        other.log_in()
        with app.test_request_context():
            user = users.user_by_email(EMAIL)
            assert user is not None
            path = users.reset_link(user).removeprefix("http://127.0.0.1:8000")
        new = {"password": "a new password", "password_confirm": "a new password"}
        Browser(app).post(path, form_at=path, **new)
        assert (browser.logged_in_as(), other.logged_in_as()) == (None, None)


class TestForgery:
    """Every form refuses a post without its token."""

    @pytest.mark.parametrize("path", ["/login", "/signup", "/reset", "/logout"])
    def test_no_token(self, app: Flask, browser: Browser, path: str) -> None:
        if path == "/logout":
            browser.sign_up()
        answer = browser.post_bare(path, email="new@example.org", password=PASSWORD)
        assert answer.status_code == 400
        assert "CSRF" in answer.text
        if path == "/logout":
            assert browser.logged_in_as() == EMAIL

    def test_the_token_of_another_session(self, app: Flask, browser: Browser) -> None:
        Browser(app).sign_up("first@example.org")
        foreign = Browser(app).csrf_token("/signup")
        browser.get("/signup")
        answer = browser.post_bare("/signup", csrf_token=foreign, email=EMAIL, password=PASSWORD)
        assert answer.status_code == 400

    def test_a_form_is_good_as_long_as_its_session(self, app: Flask) -> None:
        assert app.config["WTF_CSRF_TIME_LIMIT"] is None


EVIL = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    " https://evil.example/",
    "/\t/evil.example/",
]


def place(location: str) -> str:
    """The host that a browser goes to: backslashes are slashes there, tabs vanish."""
    seen = re.sub(r"[\t\n\r]", "", location).strip().replace("\\", "/")
    return urlsplit(urljoin("http://localhost/login", seen)).netloc


@pytest.mark.parametrize("target", EVIL)
def test_sign_up_never_leads_to_another_site(app: Flask, browser: Browser, target: str) -> None:
    browser.open_first_link()
    answer = browser.client.post(
        "/signup",
        query_string={"next": target},
        data={
            "csrf_token": browser.csrf_token("/signup"),
            "email": EMAIL,
            "password": PASSWORD,
            "next": target,
        },
    )
    assert answer.status_code == 200 or place(answer.location) == "localhost"


@pytest.mark.parametrize("target", EVIL)
def test_log_in_never_leads_to_another_site(app: Flask, browser: Browser, target: str) -> None:
    browser.sign_up()
    visitor = Browser(app)
    token = visitor.csrf_token("/login")
    answer = visitor.client.post(
        "/login",
        query_string={"next": target},
        data={"csrf_token": token, "email": EMAIL, "password": PASSWORD, "next": target},
    )
    if answer.status_code == 200:
        assert visitor.logged_in_as() is None, "the form refused the address"
        return
    assert answer.status_code == 302
    assert place(answer.location) == "localhost"


class TestCookie:
    def flags(self, browser: Browser) -> set[str]:
        answer = browser.sign_up()
        (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("session=")]
        return {flag.strip() for flag in cookie.split(";")[1:]}

    def test_over_http(self, browser: Browser) -> None:
        assert self.flags(browser) == {"HttpOnly", "Path=/", "SameSite=Lax"}

    def test_behind_https(self, data: Path) -> None:
        app = make_app(data, url="https://metrics.example.com")
        flags = self.flags(Browser(app, "https://metrics.example.com"))
        assert flags == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}

    def test_remember_me(self, browser: Browser) -> None:
        browser.sign_up()
        browser.log_out()
        answer = browser.post("/login", email=EMAIL, password=PASSWORD, remember="y")
        (cookie,) = answer.headers.getlist("Set-Cookie")
        assert cookie.startswith("session="), "nothing else remembers, so it ends with its device"
        assert {"HttpOnly", "SameSite=Lax"} <= {flag.strip() for flag in cookie.split(";")}
        assert "Expires=" in cookie

    def test_a_session_survives_a_restart(self, data: Path, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        cookie = browser.client.get_cookie("session")
        assert cookie is not None
        restarted = Browser(make_app(data))
        restarted.client.set_cookie("session", cookie.value)
        assert restarted.logged_in_as() == EMAIL


def test_forms_are_not_kept_by_caches(browser: Browser) -> None:
    assert browser.get("/login").headers["Cache-Control"] == "no-store"


def test_json_is_not_spoken(browser: Browser) -> None:
    browser.sign_up()
    answer = browser.client.post("/login?include_auth_token", json={"email": EMAIL})
    assert answer.status_code in (302, 400)
    assert "authentication_token" not in answer.text
