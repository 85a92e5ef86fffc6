"""Single sign-on against a real provider, honest and otherwise."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask import Flask
from joserfc.jwk import RSAKey
from sqlalchemy import update
from werkzeug.test import TestResponse

from flask_performance.server.accounts import invitations, teams, users
from flask_performance.server.accounts.models import Role, User, db
from flask_performance.server.settings import Settings, SettingsError, SignUp
from tests.support.http import fetch
from tests.support.waiting import free_port

from .provider import CLIENT, SECRET, Provider, running
from .support import EMAIL, PASSWORD, Browser, make_app, make_user

HERE = "http://localhost"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


def make(data: Path, issuer: str, signup: SignUp = SignUp.OPEN) -> Flask:
    """The app of the tests, with somebody else as its first account."""
    app = make_app(
        data, signup=signup, oidc_issuer=issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET
    )
    with app.app_context():
        make_user("first@example.org")
    return app


@pytest.fixture
def app(data: Path, provider: Provider) -> Flask:
    return make(data, provider.issuer)


def sign_on(browser: Browser, query: str = "") -> TestResponse:
    """To the provider and back; the last answer."""
    away = browser.get(f"/login/sso{query}")
    assert away.status_code == 302, away.text
    if not away.location.startswith("http://127.0.0.1"):
        return away
    back = fetch(away.location).headers["Location"]
    assert back.startswith(f"{HERE}/login/sso/callback?")
    return browser.get(back.removeprefix(HERE))


def reason(browser: Browser, answer: TestResponse) -> str:
    """What the log-in page says after a refusal; nobody is logged in."""
    assert answer.location == "/login"
    with browser.client.session_transaction(base_url=HERE) as session:
        flashes: list[tuple[str, str]] = session.pop("_flashes", [])
    assert browser.logged_in_as() is None
    return " ".join(words for _, words in flashes)


def user(app: Flask, email: str = EMAIL) -> User:
    with app.app_context():
        found = users.user_by_email(email)
        assert found is not None
        return found


def test_a_new_person_gets_an_account(app: Flask, browser: Browser, provider: Provider) -> None:
    assert sign_on(browser).location == "/projects"
    assert browser.logged_in_as() == EMAIL
    made = user(app)
    assert (made.password, made.administrator) == (None, False)
    assert made.confirmed_at is not None
    assert provider.asked["code_challenge_method"] == "S256"
    assert len(provider.asked["nonce"]) >= 16


def test_the_same_person_comes_back_by_a_new_address(
    app: Flask, browser: Browser, provider: Provider
) -> None:
    sign_on(browser)
    browser.log_out()
    provider.claims.update(email="lovelace@example.org", email_verified=False)
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL, "the subject is who somebody is, not the address"


def test_a_page_for_members_comes_back(browser: Browser) -> None:
    assert sign_on(browser, "?next=/projects?range=1h").location == "/projects?range=1h"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_nobody_is_led_to_another_site(browser: Browser, target: str) -> None:
    assert sign_on(browser, f"?next={target}").location == "/projects"


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"nonce": "another"}, id="wrong nonce"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"aud": "another-client"}, id="wrong audience"),
        pytest.param({"aud": "another", "azp": CLIENT}, id="wrong audience, right party"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"iss": "http://127.0.0.1:1"}, id="wrong issuer"),
        pytest.param({"exp": 1_000_000_000}, id="expired"),
        pytest.param({"exp": None}, id="never expires"),
        pytest.param({"iat": 4_000_000_000}, id="from the future"),
        pytest.param({"sub": None}, id="nobody"),
    ],
)
def test_a_token_that_is_not_for_this_log_in_is_refused(
    app: Flask, browser: Browser, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims.update(claims)
    assert "did not log you in" in reason(browser, sign_on(browser))


def test_a_forged_signature_is_refused(browser: Browser, provider: Provider) -> None:
    provider.signs_with = RSAKey.generate_key(2048)
    assert "did not log you in" in reason(browser, sign_on(browser))


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_a_signature_that_anybody_could_make_is_refused(
    browser: Browser, provider: Provider, algorithm: str
) -> None:
    """With a key that the provider shows to all, or with none, however it offers both."""
    provider.algorithm = algorithm
    assert "did not log you in" in reason(browser, sign_on(browser))


def test_a_state_that_this_browser_did_not_ask_for_is_refused(
    app: Flask, browser: Browser, provider: Provider
) -> None:
    victim = Browser(app)
    away = browser.get("/login/sso").location
    back = fetch(away).headers["Location"].removeprefix(HERE)
    assert "another window" in reason(victim, victim.get(back))
    assert "another window" in reason(victim, victim.get("/login/sso/callback?code=x&state=y"))
    assert "another window" in reason(victim, victim.get("/login/sso/callback"))


def test_a_code_works_once(app: Flask, browser: Browser) -> None:
    away = browser.get("/login/sso").location
    back = fetch(away).headers["Location"].removeprefix(HERE)
    browser.get(back)
    browser.log_out()
    assert reason(browser, browser.get(back))


def test_log_ins_that_were_left_do_not_fill_the_cookie(browser: Browser) -> None:
    for _ in range(12):
        browser.get("/login/sso")
    cookie = browser.client.get_cookie("session")
    assert cookie is not None
    assert len(cookie.value) < 2_000, "browsers keep 4096 bytes"
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL


def test_who_says_no_at_the_provider_is_not_logged_in(browser: Browser) -> None:
    browser.get("/login/sso")
    answer = browser.get("/login/sso/callback?error=access_denied&error_description=no")
    assert "did not log you in" in reason(browser, answer)


def test_an_unverified_address_opens_nothing(
    app: Flask, browser: Browser, provider: Provider
) -> None:
    for claims in ({"email_verified": False}, {"email_verified": None}, {"email": None}):
        provider.claims.update({"email": EMAIL, **claims})
        assert reason(browser, sign_on(browser))
    with app.app_context():
        assert users.user_by_email(EMAIL) is None


def test_an_account_with_a_proved_address_is_connected(app: Flask, browser: Browser) -> None:
    with app.app_context():
        users.create_user(EMAIL, PASSWORD)
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL
    assert user(app).sso_identity is not None


def test_an_account_with_an_address_that_nobody_proved_is_not_entered(
    app: Flask, browser: Browser
) -> None:
    """Whoever signed up for somebody else's address does not get the owner into the account."""
    with app.app_context():
        users.create_user(EMAIL, PASSWORD)
        db.session.execute(update(User).values(confirmed_at=None))
        db.session.commit()
    assert "never confirmed" in reason(browser, sign_on(browser))
    browser.log_in()
    sign_on(browser, "?next=/projects")
    assert user(app).sso_identity is not None, "with the password it is connected"
    browser.log_out()
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL


def test_an_account_is_connected_with_its_own_address_only(
    app: Flask, browser: Browser, provider: Provider
) -> None:
    browser.sign_up("eve@example.org")
    assert sign_on(browser).location == "/account/security"
    assert user(app, "eve@example.org").sso_identity is None


def test_a_second_person_of_the_same_address_is_refused(
    app: Flask, browser: Browser, provider: Provider
) -> None:
    sign_on(browser)
    browser.log_out()
    provider.claims["sub"] = "ada-2"
    assert "connected with another person" in reason(browser, sign_on(browser))


def test_a_deactivated_account_stays_shut(app: Flask, browser: Browser) -> None:
    sign_on(browser)
    with app.app_context():
        db.session.execute(update(User).where(User.email == EMAIL).values(active=False))
        db.session.commit()
    browser = Browser(app)
    assert "turned off" in reason(browser, sign_on(browser))


def test_the_address_may_come_from_the_userinfo(browser: Browser, provider: Provider) -> None:
    provider.claims.update(email=None, email_verified=None)
    provider.userinfo = {"sub": "ada-1", "email": EMAIL, "email_verified": True}
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL


def test_the_userinfo_of_somebody_else_does_not_count(browser: Browser, provider: Provider) -> None:
    provider.claims.update(email=None, email_verified=None)
    provider.userinfo = {"sub": "bob", "email": EMAIL, "email_verified": True}
    assert "no email address" in reason(browser, sign_on(browser))


@pytest.mark.parametrize("mode", [SignUp.INVITE, SignUp.CLOSED])
def test_no_account_where_sign_up_is_not_open(data: Path, provider: Provider, mode: SignUp) -> None:
    app = make(data, provider.issuer, mode)
    browser = Browser(app)
    assert reason(browser, sign_on(browser))
    with app.app_context():
        assert users.user_by_email(EMAIL) is None


@pytest.mark.parametrize("mode", [SignUp.INVITE, SignUp.CLOSED])
def test_an_account_that_is_there_logs_in_whatever_the_mode(
    data: Path, provider: Provider, mode: SignUp
) -> None:
    app = make(data, provider.issuer, mode)
    with app.app_context():
        users.create_user(EMAIL, PASSWORD)
    browser = Browser(app)
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL


def test_an_invitation_for_the_address_makes_an_account(data: Path, provider: Provider) -> None:
    app = make(data, provider.issuer, SignUp.INVITE)
    with app.app_context():
        first = users.first_user()
        assert first is not None
        team = teams.create_team(first, "Shop")
        invitations.invite(first, team, Role.MEMBER, 7, "ADA@example.org")
    browser = Browser(app)
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL
    provider.claims.update(sub="eve", email="eve@example.org")
    eve = Browser(app)
    assert reason(eve, sign_on(eve))


def test_a_provider_that_is_down_is_said_in_words(data: Path) -> None:
    browser = Browser(make(data, f"http://127.0.0.1:{free_port()}"))
    answer = browser.get("/login/sso")
    assert "does not answer at the moment" in reason(browser, answer)


def test_a_provider_that_goes_down_half_way_is_said_in_words(data: Path) -> None:
    with running() as provider:
        browser = Browser(make(data, provider.issuer))
        back = fetch(browser.get("/login/sso").location).headers["Location"].removeprefix(HERE)
    assert "does not answer at the moment" in reason(browser, browser.get(back))


def test_a_provider_that_calls_itself_otherwise_is_refused(
    browser: Browser, provider: Provider
) -> None:
    provider.calls_itself = "https://evil.example"
    assert "did not log you in" in reason(browser, browser.get("/login/sso"))
    provider.calls_itself = None
    sign_on(browser)
    assert browser.logged_in_as() == EMAIL


class TestFreshness:
    """Who has no password shows at the provider that it is they."""

    def stale(self, browser: Browser) -> None:
        with browser.client.session_transaction(base_url=HERE) as session:
            session["fs_paa"] = time.time() - 3600
            session.pop("fs_gexp", None)

    def test_a_log_in_there_makes_fresh(self, browser: Browser, provider: Provider) -> None:
        sign_on(browser)
        self.stale(browser)
        assert browser.get("/account/two-factor").location.startswith("/verify?next=")
        answer = sign_on(browser, "?next=/account/two-factor")
        assert answer.location == "/account/two-factor"
        assert provider.asked["prompt"] == "login"
        assert browser.get("/account/two-factor").status_code == 200

    @pytest.mark.parametrize("claims", [{"sub": "eve-1"}, {"auth_time": 1_000_000_000}])
    def test_somebody_else_or_an_old_log_in_does_not(
        self, browser: Browser, provider: Provider, claims: dict[str, Any]
    ) -> None:
        sign_on(browser)
        self.stale(browser)
        provider.claims.update(claims)
        sign_on(browser, "?next=/account/two-factor")
        assert browser.get("/account/two-factor").location.startswith("/verify?next=")


class TestSettings:
    FULL: ClassVar = {
        "FLASK_PERFORMANCE_OIDC_ISSUER": "https://login.example.com",
        "FLASK_PERFORMANCE_OIDC_CLIENT_ID": "here",
        "FLASK_PERFORMANCE_OIDC_CLIENT_SECRET": "secret",
    }

    @pytest.mark.parametrize("missing", sorted(FULL))
    def test_three_belong_together(self, tmp_path: Path, missing: str) -> None:
        part = {name: value for name, value in self.FULL.items() if name != missing}
        with pytest.raises(SettingsError, match="needs all of"):
            Settings.read(tmp_path, part)

    @pytest.mark.parametrize("issuer", ["http://login.example.com", "login.example.com", "ftp://x"])
    def test_what_others_could_listen_to_is_refused(self, tmp_path: Path, issuer: str) -> None:
        with pytest.raises(SettingsError, match="https://"):
            Settings.read(tmp_path, {**self.FULL, "FLASK_PERFORMANCE_OIDC_ISSUER": issuer})

    def test_the_secret_is_not_shown(self, tmp_path: Path) -> None:
        assert "secret'" not in repr(Settings.read(tmp_path, self.FULL))

    def test_without_it_there_is_no_such_page(self, data: Path) -> None:
        assert Browser(make_app(data)).get("/login/sso").status_code == 404
