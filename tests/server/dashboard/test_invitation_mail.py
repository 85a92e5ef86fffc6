"""An invitation by mail, through a real mail server; and one that does not leave."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Flask

from flask_performance.server.accounts import mail, teams, users
from flask_performance.server.app import create_web
from flask_performance.server.settings import Settings
from flask_performance.server.store.duckdb import DuckDBStore
from tests.support.mail import SENDER, LetterBox, html, mail_server, text
from tests.support.waiting import free_port

from .conftest import PASSWORD, Person

URL = "https://metrics.example.com"
GUEST = "grace@example.com"


@contextmanager
def company(data: Path, port: int) -> Iterator[tuple[Flask, str]]:
    """A server that sends mail to this port, and the people of Ada's team there."""
    chosen = Settings(
        data=data, url=URL, smtp_url=f"smtp://127.0.0.1:{port}", mail_from=SENDER
    )  # fmt: skip
    with closing(DuckDBStore(chosen.events)) as store:
        app = create_web(chosen, store)
        with app.app_context():
            ada = users.create_user("ada@example.com", PASSWORD)
            team = teams.create_team(ada, "Bücher & <Co>").public_id
        yield app, f"/teams/{team}/members"
        mail.close(app, 5)


@pytest.fixture
def box() -> Iterator[LetterBox]:
    with mail_server() as (box, port):
        box.port = port
        yield box


class Ada(Person):
    """At the address that people know the server by, as its cookies ask for."""

    def __init__(self, app: Flask) -> None:
        app.config["SESSION_COOKIE_SECURE"] = False
        super().__init__(app, "ada@example.com")


def test_the_mail_holds_the_link_that_the_page_shows(tmp_path: Path, box: LetterBox) -> None:
    with company(tmp_path, box.port) as (app, people):
        answer = Ada(app).post(people, email=GUEST, role="viewer", days="1")
        assert answer.status_code == 201
        assert f"A mail with this link is on its way to {GUEST}." in answer.text
        (letter,) = box.wait()
    assert letter["To"] == GUEST
    assert letter["Subject"] == "ada@example.com invites you to the team Bücher & <Co>"
    shown = re.search(rf'id="invitation-link">({URL}/invitations/[\w-]+)<', answer.text)
    assert shown
    assert shown[1] in text(letter)
    assert f'href="{shown[1]}"' in html(letter)
    assert "invites you to the team Bücher & <Co> as a viewer" in text(letter)
    assert "<b>Bücher &amp; &lt;Co&gt;</b> as a viewer" in html(letter)
    assert "works once, for 1 day," in text(letter)


def test_without_an_address_nothing_is_mailed(tmp_path: Path, box: LetterBox) -> None:
    with company(tmp_path, box.port) as (app, people):
        answer = Ada(app).post(people, email="", role="viewer", days="1")
        assert answer.status_code == 201
        assert "on its way" not in answer.text
    assert box.mails == []


def test_a_mail_that_does_not_leave_is_said_and_the_link_is_there(tmp_path: Path) -> None:
    with company(tmp_path, free_port()) as (app, people):
        answer = Ada(app).post(people, email=GUEST, role="viewer", days="1")
    assert answer.status_code == 201
    assert f"The mail to {GUEST} did not leave" in answer.text
    assert "Pass the link on yourself." in answer.text
    assert f"{URL}/invitations/" in answer.text
