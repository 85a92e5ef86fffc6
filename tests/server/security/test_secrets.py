"""No secret reaches the log, a page that says what failed, or an address that browsers keep.

The one exception is documented: without a mail server, links for people go to the log.
"""

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import Client, TestResponse

from flask_performance.server.accounts import first, tokens, users
from flask_performance.server.accounts.models import Key, User, db
from flask_performance.server.app import create_web, platform
from flask_performance.server.settings import Settings
from flask_performance.server.store.duckdb import DuckDBStore

from .test_headers import head_of

PASSWORD = "correct horse battery staple"
NEW_PASSWORD = "another horse, another battery"
WRONG_PASSWORD = "almost the right battery staple"
EMAIL = "ada@example.com"
CLIENT_SECRET = "what-only-the-provider-knows"


class Passage:
    """A browser, the secrets that it met, and everything that was logged meanwhile."""

    def __init__(self, app: Flask, logged: pytest.LogCaptureFixture) -> None:
        self.app, self.client, self.logged = app, app.test_client(), logged
        self.secrets: dict[str, str] = {
            "password": PASSWORD, "new password": NEW_PASSWORD, "wrong password": WRONG_PASSWORD,
            "client secret": CLIENT_SECRET, "server's secret": app.config["SECRET_KEY"],
        }  # fmt: skip

    def post(self, path: str, form_at: str | None = None, **fields: str) -> TestResponse:
        page = self.client.get(form_at or path).text
        match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert match, page
        answer = self.client.post(path, data={"csrf_token": match[1], **fields})
        self.note_cookie()
        return answer

    def met(self, what: str, secret: str | None) -> str:
        assert secret, what
        self.secrets[what] = secret
        return secret

    def found(self, what: str, pattern: str, text: str) -> str:
        match = re.search(pattern, text)
        assert match, what + text
        return self.met(what, match[1])

    def note_cookie(self) -> None:
        cookie = self.client.get_cookie("session")
        if cookie is not None:
            self.secrets["session"] = cookie.value

    def links_for_people(self) -> str:
        """What the log says on purpose; it is taken out of what is checked."""
        said = [r for r in self.logged.records if "link" in r.getMessage().lower()]
        for record in said:
            self.logged.handler.records.remove(record)
        text = "\n".join(record.getMessage() for record in said)
        self.logged.handler.stream.truncate(0)
        return text

    def assert_silent(self, *answers: TestResponse) -> None:
        formatter = logging.Formatter("%(name)s %(message)s")
        said = "\n".join(formatter.format(record) for record in self.logged.records)
        for what, secret in self.secrets.items():
            assert secret not in said, f"the {what} is in the log"
            for answer in answers:
                assert secret not in answer.text, f"the {what} is on the page"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    settings = Settings(
        data=tmp_path, oidc_issuer="http://127.0.0.1:9", oidc_client_id="us",
        oidc_client_secret=CLIENT_SECRET,
    )  # fmt: skip
    with closing(DuckDBStore(settings.events)) as store:
        yield create_web(settings, store)


@pytest.fixture
def passage(app: Flask, caplog: pytest.LogCaptureFixture) -> Passage:
    """Ada, the first account, logged in."""
    caplog.set_level(logging.DEBUG)
    passage = Passage(app, caplog)
    with app.app_context():
        link = first.link()
    passage.found("first account's secret", r"first=([\w-]+)", link or "")
    passage.client.get((link or "").partition(":8000")[2])
    answer = passage.post("/signup", email=EMAIL, password=PASSWORD)
    assert answer.status_code == 302, answer.text
    return passage


def ada() -> User:
    user = users.user_by_email(EMAIL)
    assert user is not None
    return user


def test_signing_up_and_logging_in(passage: Passage) -> None:
    passage.post("/logout", form_at="/projects/new")
    wrong = passage.post("/login", email=EMAIL, password=WRONG_PASSWORD)
    unknown = passage.post("/login", email="eve@example.com", password=PASSWORD)
    right = passage.post("/login", email=EMAIL, password=PASSWORD)
    assert right.status_code == 302
    passage.assert_silent(wrong, unknown, right)


def test_resetting_the_password(passage: Passage) -> None:
    passage.post("/logout", form_at="/projects/new")
    asked = passage.post("/reset", email=EMAIL)
    path = passage.found("reset link", r"(/reset/\S+)", passage.links_for_people())
    passage.met("reset secret", path.rpartition("/")[2])
    done = passage.post(path, password=NEW_PASSWORD, password_confirm=NEW_PASSWORD)
    assert done.status_code == 302, done.text
    again = passage.client.get(path)
    assert again.status_code == 302
    passage.assert_silent(asked, again)


def test_tokens_of_the_api(passage: Passage) -> None:
    made = passage.post("/account/tokens", name="CI", scope="read", days="30")
    token = passage.found("token", r'id="token">(fp_[\w-]+)<', made.text)
    used = passage.app.test_client().get(
        "/api/v1/projects", headers={"Authorization": f"Bearer {token}"}
    )
    assert used.status_code == 200
    wrong = passage.met("wrong token", token[:-1] + "!")
    refused = passage.app.test_client().get(
        "/api/v1/projects", headers={"Authorization": f"Bearer {wrong}"}
    )
    assert refused.status_code == 401
    passage.assert_silent(refused, passage.client.get("/account/tokens"))


def test_invitations(passage: Passage) -> None:
    passage.post("/teams/new", name="Team")
    with passage.app.app_context():
        team = next(member.team for member in ada().members if member.team.name == "Team")
        members = f"/teams/{team.public_id}/members"
    made = passage.post(members, email="", role="member", days="7")
    link = passage.found("invitation", r"/invitations/([\w-]{20,})", made.text)
    opened = passage.app.test_client().get(f"/invitations/{link}")
    assert opened.status_code == 200
    audit = passage.client.get(members.replace("members", "audit"))
    passage.assert_silent(audit, passage.client.get(members))


def test_second_factors(passage: Passage) -> None:
    page = passage.post("/account/two-factor", setup="authenticator")
    key = passage.found("key of the codes", r'id="totp-key">([A-Z2-7-]{32,})<', page.text)
    passage.met("key of the codes as apps know it", key.replace("-", ""))
    passage.assert_silent(passage.client.get("/account/security"))


def test_single_sign_on_that_fails(passage: Passage) -> None:
    code = passage.met("code of the provider", "code-that-opens-an-account")
    visitor = passage.app.test_client()
    start = visitor.get("/login/sso")
    back = visitor.get(f"/login/sso/callback?code={code}&state=wrong")
    refused = visitor.get(f"/login/sso/callback?error=access_denied&error_description={code}")
    assert [answer.status_code for answer in (start, back, refused)] == [302, 302, 302]
    passage.assert_silent(start, back, visitor.get("/login"))


def broken(*_arguments: object, **_more: object) -> None:
    raise RuntimeError("a fault of the test")


class TestFaults:
    @pytest.fixture(autouse=True)
    def faults(self, app: Flask) -> None:
        app.config["PROPAGATE_EXCEPTIONS"] = False

    def test_of_a_page_with_a_password(
        self, passage: Passage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passage.post("/logout", form_at="/projects/new")
        monkeypatch.setitem(passage.app.view_functions, "security.login", broken)
        token = passage.client.get("/reset").text
        match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', token)
        assert match
        answer = passage.client.post(
            "/login", data={"csrf_token": match[1], "email": EMAIL, "password": PASSWORD}
        )
        assert answer.status_code == 500
        assert "a fault of the test" not in answer.text
        assert any(record.exc_info for record in passage.logged.records)
        passage.assert_silent(answer)

    @pytest.mark.parametrize(
        ("endpoint", "path"),
        [
            ("dashboard.invitation", "/invitations/{}"),
            ("security.reset_password", "/reset/{}"),
            ("security.register", "/signup?first={}"),
        ],
    )
    def test_of_a_page_with_a_secret_in_its_address(
        self, endpoint: str, path: str, passage: Passage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = passage.met("secret in the address", "what-the-link-holds-and-nobody-else")
        monkeypatch.setitem(passage.app.view_functions, endpoint, broken)
        visitor = passage.app.test_client()
        if endpoint == "security.register":
            monkeypatch.setattr(passage.app, "before_request_funcs", {})
        answer = visitor.get(path.format(secret))
        assert answer.status_code == 500
        assert any(record.exc_info for record in passage.logged.records)
        passage.assert_silent(answer)

    def test_of_the_database(self, passage: Passage, tmp_path: Path) -> None:
        """SQLAlchemy's errors would say what was to be written: hashes, keys, secrets."""
        with passage.app.app_context():
            user = ada()
            passage.met("hash", user.password)
            user.fs_uniquifier = passage.met("session's secret", "0" * 32)
            other = sqlite3.connect(tmp_path / "accounts.sqlite3")
            other.execute("drop table users")
            other.commit()
            other.close()
            with pytest.raises(OperationalError) as caught:
                db.session.commit()
            assert "0" * 32 not in str(caught.value)

    def test_of_the_api(self, passage: Passage, monkeypatch: pytest.MonkeyPatch) -> None:
        with passage.app.app_context():
            token = passage.met("token", tokens.create_token(ada(), "CI"))
        monkeypatch.setattr(tokens, "read_token", broken)
        answer = passage.client.get("/api/v1/teams", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 500
        passage.assert_silent(answer)


def test_the_collector_keeps_keys_to_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with platform(Settings(data=tmp_path)) as parts:
        key = "0123456789abcdef" * 2
        for method in ("POST", "GET", "DELETE"):
            head_of(parts.asgi, method, f"/v1/collector/{key}")
        assert parts.web is not None
        with parts.web.app_context():
            assert db.session.query(Key).count() == 0
    assert key not in caplog.text


def test_addresses_and_answers_have_no_number_of_ours(passage: Passage) -> None:
    """Rows are known outside by random addresses alone, of at least 64 bits."""
    passage.post("/projects/new", name="Shop", team="new", new_team="Shops")
    token = passage.post("/account/tokens", name="CI", scope="read write", days="30")
    secret = passage.found("token", r'id="token">(fp_[\w-]+)<', token.text)
    api = Client(passage.app)
    headers = {"Authorization": f"Bearer {secret}"}
    (project,) = api.get("/api/v1/projects", headers=headers).get_json()["items"]
    keys = api.get(f"/api/v1/projects/{project['id']}/keys", headers=headers).get_json()["items"]
    teams = api.get("/api/v1/teams", headers=headers).get_json()["items"]
    for thing in (project, project["team"], *keys, *teams):
        assert re.fullmatch(r"[0-9a-f]{16}", thing["id"])
        assert not [name for name in thing if name.endswith("_id")]
    pages = ["/projects", "/teams", "/account/devices", "/account/tokens", "/account/security"]
    pages += [f"/projects/{project['id']}/{page}" for page in ("keys", "settings", "setup")]
    for page in pages:
        answer = passage.client.get(page)
        assert answer.status_code == 200, page
        links = re.findall(r'(?:href|action)="(/[^"]*)"', answer.text)
        assert [link for link in links if re.search(r"/\d+(/|$|\?)", link)] == []
