"""Who may sign up: the first account by its link, then as the server is set."""

import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from flask_performance.server.accounts import first as first_account
from flask_performance.server.accounts import invitations, models, teams, users
from flask_performance.server.accounts.models import Role, User
from flask_performance.server.accounts.signup import SignUpForm
from flask_performance.server.settings import SignUp

from .support import EMAIL, PASSWORD, Browser, make_app, words

GUEST = "grace@example.org"


def link(app: Flask) -> str:
    """The path of the link to the first account."""
    with app.app_context():
        found = first_account.link()
    assert found is not None
    return found.removeprefix("http://127.0.0.1:8000")


def user(app: Flask, email: str = EMAIL) -> User | None:
    with app.app_context():
        return users.user_by_email(email)


def invite(app: Flask, email: str | None = None) -> str:
    """The secret of an invitation to the first user's team Web."""
    with app.app_context():
        owner = users.first_user()
        assert owner is not None
        team = teams.create_team(owner, "Web")
        return invitations.invite(owner, team, Role.MEMBER, 7, email)


def open_invitation(browser: Browser, secret: str) -> None:
    """What the page of an invitation does for a visitor."""
    with browser.client.session_transaction(base_url=browser.base_url) as session:
        session["invitation"] = secret


def test_two_with_one_address_at_once_make_one_account(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a double click: both find the address free."""
    app = make_app(data)
    Browser(app).sign_up()
    both = threading.Barrier(2)
    validate = SignUpForm.validate

    def together(form: SignUpForm, **options: Any) -> bool:
        valid = validate(form, **options)
        both.wait(60)
        return valid

    monkeypatch.setattr(SignUpForm, "validate", together)

    def sign_up(email: str) -> tuple[int, str]:
        answer = Browser(app).post("/signup", form_at="/signup", email=email, password=PASSWORD)
        return answer.status_code, answer.location

    with ThreadPoolExecutor(2) as threads:
        answers = sorted(threads.map(sign_up, [GUEST, GUEST.upper()]))
    assert answers == [(302, "/login"), (302, "/projects")]
    with app.app_context():
        emails = models.db.session.scalars(select(User.email).order_by(User.id)).all()
    assert emails == [EMAIL, GUEST]


class TestFirstAccount:
    @pytest.mark.parametrize("mode", SignUp)
    def test_the_link_makes_the_administrator(self, data: Path, mode: SignUp) -> None:
        app = make_app(data, signup=mode)
        browser = Browser(app)
        answer = browser.get(link(app))
        assert (answer.status_code, answer.location) == (302, "/signup"), "out of the address"
        browser.post("/signup", form_at="/signup", email=EMAIL, password=PASSWORD)
        assert browser.logged_in_as() == EMAIL
        made = user(app)
        assert made is not None
        assert made.administrator

    @pytest.mark.parametrize("mode", SignUp)
    def test_without_the_link_there_is_none(self, data: Path, mode: SignUp) -> None:
        app = make_app(data, signup=mode)
        browser = Browser(app)
        answer = browser.get("/signup")
        assert answer.status_code == 403
        assert "in its terminal or log" in words(answer)
        posted = browser.post("/signup", email=EMAIL, password=PASSWORD)
        assert posted.status_code == 403
        assert user(app) is None

    def test_the_link_is_in_the_log_and_stays_the_same(
        self, app: Flask, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        with app.app_context():
            first_account.announce()
            first_account.announce()
        address = f"http://127.0.0.1:8000{link(app)}"
        shown = [record.getMessage() for record in caplog.records]
        assert shown == [f"Nobody has an account yet. Make the first one here: {address}"] * 2
        assert len(urlsplit(link(app)).query) >= len("first=") + 32

    @pytest.mark.embedded
    def test_a_restart_makes_a_new_one(self, data: Path, app: Flask) -> None:
        old = link(app)
        restarted = make_app(data)
        assert link(restarted) != old
        answer = Browser(restarted).get(old)
        assert answer.status_code == 403
        assert "The newest link is at the end of the log" in words(answer)

    @pytest.mark.parametrize("said", ["", "wrong", "%00", "ü"])
    def test_an_invented_link_opens_nothing(self, app: Flask, said: str) -> None:
        link(app)
        browser = Browser(app)
        assert browser.get(f"/signup?first={said}").status_code == 403
        assert browser.post("/signup", email=EMAIL, password=PASSWORD).status_code == 403

    def test_it_works_once(self, data: Path) -> None:
        app = make_app(data, signup=SignUp.CLOSED)
        path = link(app)
        late = Browser(app)
        late.get(path)
        token = late.csrf_token("/signup")
        Browser(app).sign_up()
        answer = late.post_bare("/signup", csrf_token=token, email=GUEST, password=PASSWORD)
        assert answer.status_code == 403
        assert user(app, GUEST) is None
        assert "Log in if it is yours" in words(Browser(app).get(path))
        with app.app_context():
            assert first_account.link() is None

    def test_two_at_once_make_one_administrator(
        self, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both passed every check when the server was empty; the database decides."""
        app = make_app(data, signup=SignUp.INVITE)
        late = Browser(app)
        late.get(link(app))
        token = late.csrf_token("/signup")
        settle = users.settle

        def overtaken(user: User) -> bool:
            monkeypatch.setattr(users, "settle", settle)
            models.db.session.rollback()
            with app.app_context():
                users.create_user("faster@example.org", PASSWORD)
            models.db.session.add(user)
            return settle(user)

        monkeypatch.setattr(users, "settle", overtaken)
        answer = late.post_bare("/signup", csrf_token=token, email=GUEST, password=PASSWORD)
        assert answer.status_code == 403
        with app.app_context():
            everybody = models.db.session.scalars(select(User)).all()
            assert [one.email for one in everybody] == ["faster@example.org"]

    def test_the_command_line_makes_the_administrator_too(self, app: Flask) -> None:
        path = link(app)
        with app.app_context():
            assert users.create_user(EMAIL, PASSWORD).administrator
            assert not users.create_user(GUEST, PASSWORD).administrator
        assert Browser(app).get(path).status_code == 403

    def test_an_emptied_server_logs_a_new_link(
        self, app: Flask, caplog: pytest.LogCaptureFixture
    ) -> None:
        old = link(app)
        Browser(app).sign_up()
        with app.app_context():
            models.db.session.delete(users.first_user())
            models.db.session.commit()
        caplog.set_level(logging.INFO)
        assert Browser(app).get("/signup").status_code == 403
        assert Browser(app).get("/signup").status_code == 403
        (record,) = caplog.records
        assert link(app) in record.getMessage()
        assert link(app) != old


class TestModes:
    @pytest.fixture
    def server(self, data: Path, request: pytest.FixtureRequest) -> Flask:
        app = make_app(data, signup=request.param)
        Browser(app).sign_up()
        return app

    @pytest.mark.parametrize("server", [SignUp.OPEN], indirect=True)
    def test_open_takes_anybody(self, server: Flask) -> None:
        browser = Browser(server)
        browser.sign_up(GUEST)
        assert browser.logged_in_as() == GUEST
        made = user(server, GUEST)
        assert made is not None
        assert not made.administrator

    @pytest.mark.parametrize(
        ("server", "said"),
        [
            (SignUp.INVITE, "Ask a member of the team for one"),
            (SignUp.CLOSED, "made by who runs it"),
        ],
        indirect=["server"],
    )
    def test_the_others_say_what_to_do(self, server: Flask, said: str) -> None:
        browser = Browser(server)
        answer = browser.get("/signup")
        assert answer.status_code == 403
        assert said in words(answer)
        assert browser.post("/signup", email=GUEST, password=PASSWORD).status_code == 403
        assert user(server, GUEST) is None

    @pytest.mark.parametrize("server", [SignUp.OPEN, SignUp.INVITE], indirect=True)
    def test_an_invitation_lets_in_and_leads_to_its_team(self, server: Flask) -> None:
        secret = invite(server, GUEST)
        browser = Browser(server)
        open_invitation(browser, secret)
        page = browser.get("/signup").text
        assert re.search(rf'id="email"[^>]*value="{GUEST}"', page)
        answer = browser.post("/signup", form_at="/signup", email=GUEST, password=PASSWORD)
        assert (answer.status_code, answer.location) == (302, f"/invitations/{secret}")
        assert browser.logged_in_as() == GUEST

    @pytest.mark.parametrize("server", [SignUp.INVITE], indirect=True)
    def test_an_invitation_for_one_address_is_for_that_alone(self, server: Flask) -> None:
        browser = Browser(server)
        open_invitation(browser, invite(server, GUEST))
        answer = browser.post(
            "/signup", form_at="/signup", email="eve@example.org", password=PASSWORD
        )
        assert f"This invitation is for {GUEST}." in words(answer)
        assert user(server, "eve@example.org") is None

    @pytest.mark.parametrize("server", [SignUp.INVITE], indirect=True)
    def test_an_invitation_for_whoever_has_it(self, server: Flask) -> None:
        browser = Browser(server)
        open_invitation(browser, invite(server))
        browser.post("/signup", form_at="/signup", email="eve@example.org", password=PASSWORD)
        assert browser.logged_in_as() == "eve@example.org"

    @pytest.mark.parametrize("server", [SignUp.INVITE], indirect=True)
    def test_a_revoked_invitation_lets_nobody_in(self, server: Flask) -> None:
        secret = invite(server)
        browser = Browser(server)
        open_invitation(browser, secret)
        assert browser.get("/signup").status_code == 200
        with server.app_context():
            found = invitations.valid(secret)
            assert found is not None
            invitations.revoke(found.team, found.public_id)
        assert browser.get("/signup").status_code == 403

    @pytest.mark.parametrize("server", [SignUp.CLOSED], indirect=True)
    def test_closed_means_closed_for_the_invited_too(self, server: Flask) -> None:
        browser = Browser(server)
        open_invitation(browser, invite(server))
        answer = browser.get("/signup")
        assert answer.status_code == 403
        assert "works as soon as you can log in" in words(answer)

    @pytest.mark.parametrize("server", SignUp, indirect=True)
    def test_after_the_log_in_an_invitation_goes_on_once(self, server: Flask) -> None:
        secret = invite(server, GUEST)
        with server.app_context():
            users.create_user(GUEST, PASSWORD)
        browser = Browser(server)
        open_invitation(browser, secret)
        assert browser.log_in(GUEST).location == f"/invitations/{secret}"
        browser.log_out()
        assert browser.log_in(GUEST).location == "/projects"
