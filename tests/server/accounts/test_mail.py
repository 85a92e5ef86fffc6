"""Mail by a real mail server: what is in it, what its links do, and a server that fails."""

import logging
import re
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_performance.server.accounts import mail, models, outbox, users
from flask_performance.server.app import create_web
from flask_performance.server.settings import MailServer, Settings, SettingsError, SignUp
from flask_performance.server.store.duckdb import DuckDBStore
from tests.support.mail import PASSWORD as SMTP_PASSWORD
from tests.support.mail import SENDER, USER, LetterBox, html, mail_server, text
from tests.support.waiting import free_port, wait_for

from .support import EMAIL, PASSWORD, Browser, words

URL = "https://metrics.example.com"
GUEST = "grace@example.org"
NEW = {"password": "a new password", "password_confirm": "a new password"}
UNCONFIRMED = "This address is not confirmed yet"


@contextmanager
def web_app(data: Path, port: int, **settings: object) -> Iterator[Flask]:
    """The pages of a server that sends its mail to this port, with a first account."""
    chosen = Settings(
        data=data, url=URL, signup=SignUp.OPEN,
        smtp_url=f"smtp://127.0.0.1:{port}", mail_from=SENDER, **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    data.mkdir(exist_ok=True)
    with closing(DuckDBStore(chosen.events)) as store:
        app = create_web(chosen, store)
        with app.app_context():
            users.create_user(EMAIL, PASSWORD)
        yield app
        mail.close(app, 5)


@pytest.fixture
def box() -> Iterator[LetterBox]:
    with mail_server() as (box, port):
        box.port = port
        yield box


@pytest.fixture
def app(data: Path, box: LetterBox) -> Iterator[Flask]:
    with web_app(data, box.port) as app:
        yield app


def browser(app: Flask) -> Browser:
    return Browser(app, URL)


def sign_up(
    app: Flask, email: str = GUEST, password: str = PASSWORD
) -> tuple[Browser, TestResponse]:
    """The page that who signed up lands on."""
    person = browser(app)
    answer = person.sign_up(email, password)
    assert answer.location == "/login"
    return person, person.get("/login")


def link(content: str) -> str:
    """The path of the one link to a page of this server."""
    (found,) = set(re.findall(rf"{URL}(/\S+?)(?=[\s\"<]|$)", content))
    return str(found)


class TestConfirmation:
    def test_an_account_works_once_its_address_is_confirmed(
        self, app: Flask, box: LetterBox
    ) -> None:
        person, landed = sign_up(app)
        assert f"If {GUEST} waits for its confirmation, a mail with the link is on" in words(landed)
        refused = person.log_in(GUEST)
        assert UNCONFIRMED in words(refused)
        (letter,) = box.wait()
        assert (letter["To"], letter["From"], letter["Subject"]) == (
            GUEST, SENDER, "Confirm your address",
        )  # fmt: skip
        assert link(text(letter)) == link(html(letter))
        confirmed = person.get(link(text(letter)))
        assert confirmed.location == "/login"
        assert "Your address is confirmed. Log in." in words(person.get("/login"))
        assert person.log_in(GUEST).location == "/projects"

    def test_a_wrong_password_learns_nothing_of_it(self, app: Flask) -> None:
        person, _ = sign_up(app)
        assert UNCONFIRMED not in words(person.log_in(GUEST, "not the password"))

    def test_the_mail_comes_again_when_asked(self, app: Flask, box: LetterBox) -> None:
        person, _ = sign_up(app)
        first, *_ = box.wait()
        asked = person.post("/confirm", form_at="/confirm", email=GUEST)
        assert "is on its way" in words(asked)
        _, again = box.wait(2)
        person.get(link(text(again)))
        assert person.log_in(GUEST).location == "/projects"
        person.log_out()
        used = browser(app)
        used.get(link(text(first)))
        assert "confirmed already" in words(used.get("/login")) + words(used.get("/confirm"))

    def test_asking_says_the_same_for_every_address(self, app: Flask, box: LetterBox) -> None:
        sign_up(app)
        box.wait()
        said = {
            words(browser(app).post("/confirm", form_at="/confirm", email=email)).replace(email, "")
            for email in (GUEST, EMAIL, "nobody@example.org")
        }
        assert len(said) == 1
        box.wait(2)

    def test_an_invented_link_confirms_nothing(self, app: Flask) -> None:
        person, _ = sign_up(app)
        assert person.get("/confirm/invented").location == "/confirm"
        assert "does not confirm an address" in words(person.get("/confirm"))
        assert UNCONFIRMED in words(person.log_in(GUEST))

    def test_who_runs_the_server_confirms_nothing(self, data: Path, box: LetterBox) -> None:
        """A wrong mail setting locks nobody out of an empty server."""
        with web_app(data, box.port) as app:
            with app.app_context():
                models.db.session.delete(users.first_user())
                models.db.session.commit()
            person = browser(app)
            assert person.sign_up().status_code == 302
            assert EMAIL in words(person.get("/projects"))
            assert "is on its way" not in words(person.get("/projects"))
            assert browser(app).log_in().location == "/projects"
        assert box.mails == []


class TestEnumeration:
    def test_a_sign_up_with_an_address_in_use_looks_the_same(
        self, app: Flask, box: LetterBox
    ) -> None:
        _, new = sign_up(app)
        _, known = sign_up(app, EMAIL, "another password")
        assert words(new) == words(known).replace(EMAIL, GUEST)
        letters = {letter["To"]: letter for letter in box.wait(2)}
        assert "has an account already" in text(letters[EMAIL])
        assert "/confirm/" not in text(letters[EMAIL])
        assert "Confirm that it is your address" in text(letters[GUEST])

    def test_a_reset_looks_the_same_and_mails_the_owner_alone(
        self, app: Flask, box: LetterBox
    ) -> None:
        said = {
            words(browser(app).post("/reset", form_at="/reset", email=email)).replace(email, "")
            for email in (EMAIL, "nobody@example.org")
        }
        assert len(said) == 1
        (letter,) = box.wait()
        assert letter["To"] == EMAIL


class TestReset:
    def ask(self, app: Flask, box: LetterBox, email: str = EMAIL, base: str = URL) -> str:
        before = len(box.mails)
        Browser(app, base).post("/reset", form_at="/reset", email=email)
        letter = box.wait(before + 1)[-1]
        assert letter["Subject"] == "Set a new password"
        return link(text(letter))

    def test_the_link_sets_a_password_and_a_notice_follows(
        self, app: Flask, box: LetterBox
    ) -> None:
        path = self.ask(app, box)
        person = browser(app)
        answer = person.post(path, form_at=path, **NEW)
        assert answer.location == "/login"
        assert "The new password is set" in words(person.get("/login"))
        assert browser(app).log_in(password="a new password").location == "/projects"
        _, notice = box.wait(2)
        assert notice["Subject"] == "Your password was changed"
        assert link(text(notice)) == "/reset"

    def test_it_confirms_the_address_too(self, app: Flask, box: LetterBox) -> None:
        sign_up(app)
        box.wait()
        path = self.ask(app, box, GUEST)
        browser(app).post(path, form_at=path, **NEW)
        assert browser(app).log_in(GUEST, "a new password").location == "/projects"

    def test_whoever_asks_does_not_choose_the_links_host(self, app: Flask, box: LetterBox) -> None:
        self.ask(app, box, base="https://evil.example")
        assert "evil" not in box.mails[0].as_string()


class TestNewAddress:
    def ask(self, app: Flask, email: str, base: str = URL) -> tuple[Browser, str]:
        """A person who is logged in, and what the page says."""
        person = Browser(app, base)
        person.log_in()
        path = "/account/new-email"
        return person, words(person.post(path, form_at=path, email=email)).replace(email, "")

    def test_the_link_in_the_mail_changes_it(self, app: Flask, box: LetterBox) -> None:
        person, _ = self.ask(app, GUEST)
        (letter,) = box.wait()
        assert letter["To"] == GUEST
        assert person.get(link(text(letter))).status_code == 302
        assert browser(app).log_in(GUEST).location == "/projects"
        notice = box.wait(2)[1]
        assert notice["To"] == EMAIL
        assert f"with {GUEST} from now on" in text(notice)
        assert GUEST in html(notice)

    def test_it_tells_nothing_about_an_address_in_use(self, app: Flask, box: LetterBox) -> None:
        sign_up(app)
        box.wait()
        _, free = self.ask(app, "new@example.org")
        _, taken = self.ask(app, GUEST)
        assert free == taken
        assert [letter["To"] for letter in box.wait(2)] == [GUEST, "new@example.org"]

    def test_whoever_asks_does_not_choose_the_links_host(self, app: Flask, box: LetterBox) -> None:
        self.ask(app, GUEST, base="https://evil.example")
        assert "evil" not in box.wait()[0].as_string()

    def test_nobody_floods_a_strangers_letter_box(self, app: Flask, box: LetterBox) -> None:
        person, _ = self.ask(app, GUEST)
        path = "/account/new-email"
        asked = [person.post(path, form_at=path, email=GUEST).status_code for _ in range(5)]
        assert asked == [200] * 4 + [429]


class TestFailure:
    """The log of these tests holds no secret, and no page waits."""

    @pytest.fixture(autouse=True)
    def secrets_stay_out(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        caplog.set_level(logging.INFO)
        yield
        said = "\n".join(record.getMessage() for record in caplog.get_records("call"))
        assert "The mail" in said
        assert SMTP_PASSWORD not in said
        assert "/confirm/" not in said
        assert "/reset/" not in said

    def test_a_refused_mail_is_said_to_all_alike_until_one_leaves(
        self, app: Flask, box: LetterBox, caplog: pytest.LogCaptureFixture
    ) -> None:
        box.refuses = "550 no room"
        sign_up(app)
        wait_for(lambda: "did not leave" in caplog.text, 20, "the failure in the log")
        assert "550" in caplog.text
        for path in ("/signup", "/reset", "/confirm"):
            assert mail.TROUBLE in words(browser(app).get(path)), path
        box.refuses = ""
        browser(app).post("/reset", form_at="/reset", email=EMAIL)
        box.wait()
        wait_for(
            lambda: mail.TROUBLE not in words(browser(app).get("/reset")), 10, "no more trouble"
        )

    def test_a_server_that_is_away(self, data: Path, caplog: pytest.LogCaptureFixture) -> None:
        with web_app(data, free_port()) as app:
            _, landed = sign_up(app)
            assert landed.status_code == 200
            wait_for(lambda: "Connection refused" in caplog.text, 20, "the failure in the log")

    def test_a_server_that_hangs_keeps_no_page_waiting(
        self, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(outbox, "STEP_SECONDS", 1.0)
        with ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            app = stack.enter_context(web_app(data, listener.getsockname()[1]))
            began = time.monotonic()
            sign_up(app)
            assert time.monotonic() - began < mail.PATIENCE
            wait_for(lambda: "timed out" in caplog.text, 20, "the failure in the log")

    def test_the_end_of_the_server_waits_for_no_mail_server(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            box = outbox.Outbox(MailServer("127.0.0.1", listener.getsockname()[1], SENDER))
            outcome = box.put(EmailMessage())
            began = time.monotonic()
            box.close(0.2)
            assert time.monotonic() - began < outbox.STEP_SECONDS
        with pytest.raises(outbox.MailError):
            outcome.result(20)

    def test_mails_that_wait_are_bounded(
        self, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(outbox, "WAITING", 2)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = MailServer("127.0.0.1", listener.getsockname()[1], SENDER)
            box = outbox.Outbox(server)
            message = EmailMessage()
            # One is under way as soon as the thread has it, so three or two of four find room.
            outcomes = [box.put(message) for _ in range(4)]
            refused = next(one for one in outcomes if one.done())
        with pytest.raises(outbox.MailError):
            refused.result(0)
        assert "2 mails wait already" in caplog.text
        box.close(5)


class TestSendNow:
    def test_it_returns_once_the_mail_is_gone(self, app: Flask, box: LetterBox) -> None:
        with app.test_request_context():
            mail.send_now(GUEST, "Hello", "security/email/reset_notice", user=users.first_user())
        assert box.mails[0]["To"] == GUEST

    def test_it_says_when_it_did_not_leave(self, app: Flask, box: LetterBox) -> None:
        box.refuses = "550 no"
        with app.test_request_context(), pytest.raises(mail.MailError, match="could not be sent"):
            mail.send_now(GUEST, "Hello", "security/email/reset_notice", user=users.first_user())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost with its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(path), "-out", str(path.with_suffix(".crt"))],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


class TestEncryption:
    def context(self, certificate: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        return context

    def deliver(self, port: int, *, tls: bool = False) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = SENDER, EMAIL, "Hello"
        message.set_content("Hello")
        server = MailServer("localhost", port, SENDER, tls, USER, SMTP_PASSWORD)
        outbox.deliver(server, message)

    def test_from_the_first_byte(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        options = {"ssl_context": self.context(certificate), "auth_require_tls": False}
        with mail_server(**options) as (box, port):
            self.deliver(port, tls=True)
        assert len(box.mails) == 1
        assert [login.login for login in box.logins] == [USER.encode()]

    def test_starttls_over_a_network(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setattr(outbox, "_on_this_machine", lambda _host: False)
        with mail_server(tls_context=self.context(certificate)) as (box, port):
            self.deliver(port)
        assert box.encrypted == [True]

    def test_a_stranger_certificate_gets_nothing(
        self, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "_on_this_machine", lambda _host: False)
        with (
            mail_server(tls_context=self.context(certificate)) as (box, port),
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            self.deliver(port)
        assert (box.mails, box.logins) == ([], [])

    def test_no_password_crosses_a_network_in_the_open(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "_on_this_machine", lambda _host: False)
        with (
            mail_server(auth_require_tls=False) as (box, port),
            pytest.raises(smtplib.SMTPException, match="the password was not sent"),
        ):
            self.deliver(port)
        assert box.logins == []


def test_a_wrong_mail_setting_stops_the_start(data: Path) -> None:
    with pytest.raises(SettingsError, match="SMTP_URL must be like"):
        Settings.read(data, {"FLASK_PERFORMANCE_SMTP_URL": "mail.example.com"})
