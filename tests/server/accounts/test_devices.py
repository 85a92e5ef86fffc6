"""Where a person is signed in, and how each of these sessions ends."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask_security import current_user
from sqlalchemy import update

from flask_performance.server.accounts import devices
from flask_performance.server.accounts.models import Device, User, db, now
from flask_performance.server.accounts.user_agents import words as agent_words

from .support import EMAIL, PASSWORD, Browser, make_app

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def app(data: Path) -> Flask:
    """With a way to sign out the others, as the account page has."""
    app = make_app(data)

    @app.post("/others")
    def others() -> str:
        devices.sign_out_others(current_user, app.extensions["security"])
        return "done"

    return app


def rows(app: Flask, email: str = EMAIL) -> list[Device]:
    with app.app_context():
        user = db.session.query(User).filter_by(email=email).one()
        return devices.devices_of(user)


def sign_out(app: Flask, public_id: str, email: str = EMAIL) -> bool:
    with app.app_context():
        user = db.session.query(User).filter_by(email=email).one()
        return devices.sign_out(user, public_id)


def second_browser(app: Flask) -> Browser:
    browser = Browser(app)
    browser.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    browser.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    browser.log_in()
    return browser


def test_a_log_in_makes_a_row_with_name_and_address(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    second_browser(app)
    first, second = sorted(rows(app), key=lambda device: device.id)
    assert (second.name, second.address) == ("Firefox on Linux", "192.0.2.7")
    assert first.address == "127.0.0.1"


def test_a_device_without_its_row_is_signed_out(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    other = second_browser(app)
    assert other.logged_in_as() == EMAIL
    (row,) = [device for device in rows(app) if device.name == "Firefox on Linux"]
    assert sign_out(app, row.public_id)
    assert other.logged_in_as() is None
    assert browser.logged_in_as() == EMAIL


def test_nobody_signs_out_somebody_elses_device(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    (row,) = rows(app)
    Browser(app).sign_up("eve@example.org")
    assert not sign_out(app, row.public_id, "eve@example.org")
    assert browser.logged_in_as() == EMAIL


def test_stay_logged_in_does_not_survive_a_signed_out_device(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    browser.log_out()
    browser.post("/login", email=EMAIL, password=PASSWORD, remember="y")
    (row,) = rows(app)
    sign_out(app, row.public_id)
    assert browser.logged_in_as() is None


def test_a_kept_cookie_is_worth_nothing_after_log_out(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    kept = browser.client.get_cookie("session")
    assert kept is not None
    browser.log_out()
    thief = Browser(app)
    thief.client.set_cookie("session", kept.value)
    assert thief.logged_in_as() is None
    assert rows(app) == []


def test_signing_out_the_others_keeps_this_browser(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    other = second_browser(app)
    browser.post("/others", form_at="/projects")
    assert browser.logged_in_as() == EMAIL
    assert other.logged_in_as() is None
    assert len(rows(app)) == 1


def test_a_new_password_signs_out_the_others(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    other = second_browser(app)
    answer = browser.post(
        "/account/password", form_at="/account/password",
        password=PASSWORD, new_password="another good one", new_password_confirm="another good one",
    )  # fmt: skip
    assert answer.status_code == 302, answer.text
    assert browser.logged_in_as() == EMAIL
    assert other.logged_in_as() is None
    assert len(rows(app)) == 1


def test_logging_in_again_is_the_same_device(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    before = [device.public_id for device in rows(app)]
    browser.post("/account/password", form_at="/account/password",
                 password=PASSWORD, new_password="another good one",
                 new_password_confirm="another good one")  # fmt: skip
    assert [device.public_id for device in rows(app)] == before


def age(app: Flask, by: timedelta) -> None:
    with app.app_context():
        db.session.execute(update(Device).values(seen_at=now() - by))
        db.session.commit()


def test_last_seen_is_kept_to_some_minutes(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    age(app, timedelta(minutes=4))
    browser.get("/projects")
    assert now() - rows(app)[0].seen_at > timedelta(minutes=3), "reading does not write"
    age(app, timedelta(minutes=6))
    browser.client.environ_base["REMOTE_ADDR"] = "192.0.2.9"
    browser.get("/projects")
    (row,) = rows(app)
    assert now() - row.seen_at < timedelta(minutes=3)
    assert row.address == "192.0.2.9"


def test_a_device_unseen_for_a_month_is_gone(app: Flask, browser: Browser) -> None:
    browser.sign_up()
    age(app, devices.KEEP + timedelta(minutes=1))
    assert browser.logged_in_as() is None
    assert rows(app) == []
    browser.log_in()
    with app.app_context():
        assert db.session.query(Device).count() == 1, "its row is cleared away"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
            ),
            "Edge on Windows",
        ),
        (
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like "
                "Gecko) Version/18.1 Safari/605.1.15"
            ),
            "Safari on macOS",
        ),
        (
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
                "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
            ),
            "Safari on iPhone",
        ),
        (
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                "Chrome/142.0.0.0 Mobile Safari/537.36"
            ),
            "Chrome on Android",
        ),
        ("curl/8.5.0", "curl"),
        ("", "Unknown program"),
        ("\x00\x01", "Unknown program"),
        ("x" * 500, "x" * 40),
    ],
)
def test_a_user_agent_in_words(user_agent: str, expected: str) -> None:
    assert agent_words(user_agent) == expected
