"""Guessing passwords and codes, and asking for mails, at the pace of a test's own clock."""

from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_performance.server.accounts.recent import Limit, Recent
from flask_performance.server.accounts.throttle import EXTENSION, Policy, Throttle

from .support import EMAIL, Browser, words

HOME = "203.0.113.7"


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(app: Flask) -> Clock:
    """The server's, with small limits that last 60 s; `EMAIL` has an account."""
    Browser(app).sign_up()
    throttle: Throttle = app.extensions[EXTENSION]
    few = Limit(3, 60)
    throttle.policy = Policy(few, Limit(8, 60), Limit(6, 60), few, few, Limit(8, 60))
    throttle.recent = Recent(Clock())
    assert isinstance(throttle.recent.clock, Clock)
    return throttle.recent.clock


def at(app: Flask, address: str = HOME) -> Browser:
    browser = Browser(app)
    browser.client.environ_base["REMOTE_ADDR"] = address
    return browser


def guess(app: Flask, times: int, email: str = EMAIL, address: str = HOME) -> list[int]:
    browser = at(app, address)
    return [browser.log_in(email, f"wrong {number}").status_code for number in range(times)]


class TestLogIn:
    def test_after_wrong_tries_even_the_right_one_waits(self, app: Flask, clock: Clock) -> None:
        assert guess(app, 5) == [200, 200, 200, 429, 429]
        clock.now += 20
        answer = at(app).log_in()
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "40")
        assert "Nothing is locked for good: try again in a minute." in words(answer)
        clock.now += 41
        assert at(app).log_in().status_code == 302

    def test_a_right_one_begins_anew(self, app: Flask, clock: Clock) -> None:
        for _ in range(3):
            assert guess(app, 2) == [200, 200]
            assert at(app).log_in().status_code == 302

    def test_the_owner_logs_in_elsewhere(self, app: Flask, clock: Clock) -> None:
        guess(app, 4)
        assert at(app, "198.51.100.1").log_in().status_code == 302

    def test_others_behind_the_same_address_log_in(self, app: Flask, clock: Clock) -> None:
        guess(app, 4, "bob@example.org")
        assert at(app).log_in().status_code == 302

    def test_many_addresses_together_find_no_more(self, app: Flask, clock: Clock) -> None:
        for number in range(3):
            guess(app, 2, address=f"198.51.100.{number}")
        assert guess(app, 1, address="198.51.100.99") == [429]

    def test_but_the_owner_comes_in_from_where_he_was(self, app: Flask, clock: Clock) -> None:
        assert at(app).log_in().status_code == 302
        for number in range(3):
            guess(app, 2, address=f"198.51.100.{number}")
        assert at(app, "192.0.2.1").log_in().status_code == 429
        assert at(app).log_in().status_code == 302

    def test_one_address_tries_not_every_account(self, app: Flask, clock: Clock) -> None:
        statuses = [guess(app, 1, f"{number}@example.org")[0] for number in range(9)]
        assert statuses == [200] * 8 + [429]

    def test_an_ipv6_customer_is_one_address(self, app: Flask, clock: Clock) -> None:
        statuses = [
            guess(app, 1, f"{number}@example.org", f"2001:db8::{number}")[0] for number in range(9)
        ]
        assert statuses[-1] == 429
        assert guess(app, 1, address="2001:db8:0:1::1") == [200]

    def test_without_an_account_it_is_the_same(self, app: Flask, clock: Clock) -> None:
        assert guess(app, 4, "nobody@example.org") == guess(app, 4)

    def test_case_and_space_do_not_count(self, app: Flask, clock: Clock) -> None:
        spellings = [EMAIL, EMAIL.upper(), f" {EMAIL}", EMAIL.title()]
        assert [guess(app, 1, one)[0] for one in spellings] == [200, 200, 200, 429]

    def test_pages_and_sessions_stay(self, app: Flask, clock: Clock) -> None:
        browser = at(app)
        browser.log_in()
        guess(app, 4)
        assert browser.logged_in_as() == EMAIL
        assert at(app).get("/login").status_code == 200

    def test_a_form_without_its_token_is_no_try(self, app: Flask, clock: Clock) -> None:
        browser = at(app)
        for _ in range(5):
            assert browser.post_bare("/login", email=EMAIL, password="x").status_code == 400
        assert browser.log_in().status_code == 302


class TestAsking:
    def ask(self, app: Flask, path: str, email: str = EMAIL, address: str = HOME) -> TestResponse:
        fields = {"email": email, "password": "x"} if path == "/signup" else {"email": email}
        return at(app, address).post(path, form_at="/login", **fields)

    @pytest.mark.parametrize("path", ["/reset", "/signup"])
    @pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
    def test_so_many_for_one_email(self, app: Flask, clock: Clock, path: str, email: str) -> None:
        asked = [
            self.ask(app, path, email, f"198.51.100.{number}").status_code for number in range(4)
        ]
        assert asked == [200, 200, 200, 429]
        clock.now += 61
        assert self.ask(app, path, email).status_code == 200

    def test_so_many_from_one_address(self, app: Flask, clock: Clock) -> None:
        asked = [
            self.ask(app, "/reset", f"{number}@example.org").status_code for number in range(9)
        ]
        assert asked == [200] * 8 + [429]

    def test_asking_does_not_lock_the_log_in(self, app: Flask, clock: Clock) -> None:
        for _ in range(4):
            self.ask(app, "/reset")
        assert at(app).log_in().status_code == 302


class TestRecent:
    def test_it_forgets_the_oldest_key(self) -> None:
        limit = Limit(1, 60)
        recent = Recent(Clock(), most=100)
        for key in range(1_000):
            recent.add(key, limit)
        assert len(recent._times) == 100
        assert recent.wait(999, limit) == 60
        assert recent.wait(0, limit) == 0

    def test_the_window_moves(self) -> None:
        clock, limit = Clock(), Limit(2, 60)
        recent = Recent(clock)
        recent.add("a", limit)
        clock.now += 40
        recent.add("a", limit)
        assert recent.wait("a", limit) == 20
        clock.now += 20
        assert recent.wait("a", limit) == 0
        recent.add("a", limit)
        assert recent.wait("a", limit) == 40


def test_the_limits_of_a_server_are_those_of_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    for limit in Policy():
        minutes = "15 minutes" if limit.seconds == 900 else "hour"
        assert f"{limit.count} | {minutes}" in page
