"""Second factors: an authenticator app, recovery codes, and what each of them opens how often."""

import re
import time
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask_security import Totp
from sqlalchemy import select, text

from flask_performance.server.accounts import factors
from flask_performance.server.accounts.models import User, WebAuthn, db
from flask_performance.server.accounts.secret import derived

from .support import EMAIL, PASSWORD, Browser, make_app, words

STEP = 30


class Phone:
    """An authenticator app that scanned a key: it knows nothing of this server but that."""

    def __init__(self, key: str) -> None:
        from passlib.totp import TOTP  # type: ignore[import-untyped]

        self.totp = TOTP(key=key)

    def code(self, steps: int = 0) -> str:
        """The code of this moment, or of some steps of 30 seconds later."""
        return str(self.totp.generate(time.time() + steps * STEP).token)


def enrol(browser: Browser) -> Phone:
    """Turn two-factor log-in on. Uses the code of the step before this one."""
    page = browser.post("/account/two-factor", form_at="/projects", setup="authenticator").text
    key = re.search(r"\b(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}\b", page)
    action = re.search(r'action="(/account/two-factor/[^"]+)"', page)
    assert key, page
    assert action, page
    phone = Phone(key[0].replace("-", ""))
    answer = browser.post(action[1], form_at="/projects", code=phone.code(-1))
    assert answer.location == "/account/security"
    return phone


def recovery_codes(browser: Browser) -> list[str]:
    page = browser.post("/account/recovery-codes", form_at="/projects", generate_new_codes="1").text
    return re.findall(r"\b[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}\b", page)


def half_way(app: Flask) -> Browser:
    """A browser that gave the password and is asked for the second factor."""
    browser = Browser(app)
    assert browser.log_in().location.startswith("/login/code")
    return browser


def give_code(browser: Browser, code: str) -> None:
    browser.post("/login/code", form_at="/login/code", code=code)


def user(app: Flask) -> User:
    with app.app_context():
        return db.session.scalars(select(User).where(User.email == EMAIL)).one()


class TestAuthenticator:
    def test_the_password_alone_logs_in_no_more(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        visitor = half_way(app)
        assert visitor.logged_in_as() is None

    def test_the_code_after_the_password_does(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        phone = enrol(browser)
        visitor = half_way(app)
        give_code(visitor, phone.code())
        assert visitor.logged_in_as() == EMAIL

    @pytest.mark.parametrize("code", ["000000", "", "x", "12345678"])
    def test_a_wrong_code_does_not(self, app: Flask, browser: Browser, code: str) -> None:
        browser.sign_up()
        phone = enrol(browser)
        assert code != phone.code()
        visitor = half_way(app)
        give_code(visitor, code)
        assert visitor.logged_in_as() is None

    def test_a_code_works_once(self, app: Flask, browser: Browser) -> None:
        """Whoever looks over the shoulder has thirty seconds too."""
        browser.sign_up()
        phone = enrol(browser)
        code = phone.code()
        give_code(half_way(app), code)
        again = half_way(app)
        give_code(again, code)
        assert again.logged_in_as() is None
        give_code(again, phone.code(1))
        assert again.logged_in_as() == EMAIL

    def test_the_code_alone_is_nothing(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        phone = enrol(browser)
        visitor = Browser(app)
        answer = visitor.post("/login/code", form_at="/login", code=phone.code())
        assert answer.location == "/login"
        assert visitor.logged_in_as() is None

    def test_a_key_that_was_not_confirmed_changes_nothing(
        self, app: Flask, browser: Browser
    ) -> None:
        browser.sign_up()
        browser.post("/account/two-factor", form_at="/projects", setup="authenticator")
        assert Browser(app).log_in().location == "/projects"

    def test_turned_off_the_password_is_enough(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        recovery_codes(browser)
        browser.post("/account/two-factor", form_at="/projects", setup="disable")
        assert Browser(app).log_in().location == "/projects"
        assert not user(app).mf_recovery_codes, "there is nothing to recover from"

    def test_the_key_is_encrypted_at_rest(self, data: Path, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        phone = enrol(browser)
        with app.app_context():
            kept = db.session.execute(text("select tf_totp_secret from users")).scalar_one()
        assert phone.totp.base32_key not in kept
        stranger = Totp({"1": derived("another server's secret", "totp")}, "x")
        assert not stranger.verify_totp(phone.code(), kept, user(app))

    def test_turning_it_on_or_off_needs_a_fresh_log_in(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        stale(browser)
        answer = browser.post("/account/two-factor", form_at="/projects", setup="disable")
        assert answer.location.startswith("/verify?next=")
        assert user(app).tf_totp_secret is not None
        assert browser.get("/account/recovery-codes").location.startswith("/verify?next=")
        assert browser.get("/account/passkeys").location.startswith("/verify?next=")

    def test_mail_rescues_nobody(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        visitor = half_way(app)
        answer = visitor.post("/login/rescue", form_at="/login/code", help_setup="help")
        assert answer.status_code == 404


def stale(browser: Browser) -> None:
    with browser.client.session_transaction(base_url=browser.base_url) as session:
        session["fs_paa"] = time.time() - 3600
        session.pop("fs_gexp", None)


class TestFreshness:
    def test_the_password_makes_fresh(self, browser: Browser) -> None:
        browser.sign_up()
        stale(browser)
        asked = browser.get("/account/passkeys").location
        assert parse_qs(asked.partition("?")[2])["next"] == ["/account/passkeys"]
        wrong = browser.post(asked, form_at=asked, password="wrong")
        assert wrong.status_code == 200
        assert browser.get("/account/passkeys").status_code == 302
        right = browser.post(asked, form_at=asked, password=PASSWORD)
        assert right.location == "/account/passkeys"
        assert browser.get("/account/passkeys").status_code == 200

    def test_a_first_step_made_elsewhere_opens_no_second_step(
        self, app: Flask, browser: Browser
    ) -> None:
        """Whoever stole a session brings a key, or a passkey, of an account of their own."""
        browser.sign_up()
        thief = Browser(app)
        thief.sign_up("eve@example.org")
        app_of_thief = thief.post(
            "/account/two-factor", form_at="/projects", setup="authenticator"
        ).text
        passkey_of_thief = thief.post(
            "/account/passkeys", form_at="/projects", name="mine", usage="first"
        ).text
        stale(browser)
        for page, path in (
            (app_of_thief, "/account/two-factor/"),
            (passkey_of_thief, "/account/passkeys/"),
        ):
            step = re.search(rf'action="({path}(?!delete)[^"]+)"', page)
            assert step, page
            answer = browser.post(step[1], form_at="/projects", code="123456", credential="{}")
            assert answer.location.startswith("/verify?next="), path
        assert user(app).tf_totp_secret is None

    def test_reading_needs_no_fresh_log_in(self, browser: Browser) -> None:
        browser.sign_up()
        stale(browser)
        assert browser.logged_in_as() == EMAIL


class TestRecoveryCodes:
    def recover(self, app: Flask, code: str) -> Browser:
        visitor = half_way(app)
        visitor.post("/login/recovery", form_at="/login/recovery", code=code)
        return visitor

    def test_each_logs_in_once(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        codes = recovery_codes(browser)
        assert len(set(codes)) == factors.RECOVERY_CODES
        assert self.recover(app, codes[0]).logged_in_as() == EMAIL
        assert self.recover(app, codes[0]).logged_in_as() is None
        assert self.recover(app, codes[1]).logged_in_as() == EMAIL
        assert len(user(app).mf_recovery_codes or []) == factors.RECOVERY_CODES - 2

    def test_it_may_be_typed_as_people_type(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        code = recovery_codes(browser)[0]
        assert self.recover(app, f" {code.upper().replace('-', ' ')} ").logged_in_as() == EMAIL

    @pytest.mark.parametrize("code", ["", "0000-0000-0000", "-", "é"])
    def test_a_wrong_one_does_not(self, app: Flask, browser: Browser, code: str) -> None:
        browser.sign_up()
        enrol(browser)
        recovery_codes(browser)
        assert self.recover(app, code).logged_in_as() is None

    def test_new_ones_replace_the_old(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        old = recovery_codes(browser)
        new = recovery_codes(browser)
        assert self.recover(app, old[0]).logged_in_as() is None
        assert self.recover(app, new[0]).logged_in_as() == EMAIL

    def test_they_are_shown_once_and_kept_as_hashes(self, app: Flask, browser: Browser) -> None:
        browser.sign_up()
        enrol(browser)
        codes = recovery_codes(browser)
        again = browser.get("/account/recovery-codes?show_codes=1").text
        with app.app_context():
            kept = db.session.execute(text("select mf_recovery_codes from users")).scalar_one()
        for code in codes:
            assert code not in again
            assert code not in kept
            assert code.replace("-", "") not in kept


def test_who_lost_every_factor_gets_back_with_the_password(app: Flask, browser: Browser) -> None:
    """What the operator's command does."""
    browser.sign_up()
    enrol(browser)
    recovery_codes(browser)
    with app.app_context():
        lost = db.session.scalars(select(User)).one()
        for usage in (factors.ALONE, factors.AFTER_PASSWORD):
            lost.webauthn.append(
                WebAuthn(
                    credential_id=usage.encode(), public_key=b"", backup_state=False,
                    device_type="single_device", name=usage, usage=usage,
                )
            )  # fmt: skip
        db.session.commit()
        factors.take_away(lost)
        db.session.commit()
        assert [key.usage for key in lost.webauthn] == [factors.ALONE]
        assert not factors.has_second_factor(lost)
    assert Browser(app).log_in().location == "/projects"


def test_the_pages_speak_our_words(browser: Browser) -> None:
    browser.sign_up()
    enrol(browser)
    assert "Two-factor log-in is on" in words(browser.get("/account/recovery-codes"))


def test_two_servers_have_different_keys(tmp_path: Path) -> None:
    one, two = (make_app(tmp_path / name) for name in ("one", "two"))
    keys = [app.config["SECURITY_TOTP_SECRETS"]["1"] for app in (one, two)]
    assert keys[0] != keys[1]
    assert keys[0] != one.config["SECRET_KEY"]
