"""What somebody would try: scripts in names, formulas in files, links that lead away."""

import logging
import re
from urllib.parse import urljoin, urlsplit

import pytest
from werkzeug.test import TestResponse

from flask_performance.server.accounts.models import Key, Project, Role, Team, Token, db

from .routes import PAGES
from .test_roles import filled
from .world import PASSWORD, STRANGER, VISITOR, Browser, Objects, World

SCRIPT = "</script><script>alert(1)</script>"
QUOTE = '"\' onmouseover=alert(1) x="'
FORMULA = '=HYPERLINK("http://evil.example","x")'
READ = [row for row in PAGES if row.method == "GET" and "{" in row.path]


def rename(world: World, objects: Objects, name: str) -> None:
    """Give everything in the team this name."""
    with world.app.app_context():
        team = db.session.query(Team).filter_by(public_id=objects["team"]).one()
        project = db.session.query(Project).filter_by(public_id=objects["project"]).one()
        team.name = project.name = name
        for key in db.session.query(Key).filter_by(project_id=project.id):
            key.name = name
        for token in db.session.query(Token).filter_by(team_id=team.id):
            token.name = name
        db.session.commit()


@pytest.mark.parametrize("name", [SCRIPT, QUOTE])
def test_a_name_is_text_wherever_it_is_shown(name: str, world: World) -> None:
    owner = world.browser(Role.OWNER, fresh=True)
    objects = world.objects(owner, Role.OWNER)
    rename(world, objects, name)
    shown = 0
    for row in READ:
        answer = owner.ask("GET", filled(row, objects)[0])
        if answer.mimetype == "text/html":
            assert "<script>alert" not in answer.text, row
            assert not re.search(r"<[^>]*\sonmouseover=alert", no_values(answer)), row
            shown += "alert(1)" in answer.text
    assert shown >= 8


def no_values(answer: TestResponse) -> str:
    """The page without what stands between double quotes: what is left is the page's own."""
    return re.sub(r'"[^"]*"', '""', answer.text)


def test_a_name_is_no_formula_in_a_file(world: World) -> None:
    owner = world.browser(Role.OWNER)
    objects = world.objects(owner, Role.OWNER)
    owner.ask("POST", f"/projects/{objects['project']}/keys", {"name": FORMULA})
    file = owner.ask("GET", f"/teams/{objects['team']}/audit.csv").text
    assert "HYPERLINK" in file
    assert not re.search(r'(^|,)"?=', file, re.MULTILINE)


AWAY = (
    "https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example",
    "http:evil.example", "javascript:alert(1)", "/\t/evil.example", "///evil.example",
    "https:///evil.example", "//localhost@evil.example/", " //evil.example", "%2f%2fevil.example",
)  # fmt: skip


@pytest.fixture
def eve(world: World) -> Browser:
    return world.browser(STRANGER, fresh=True)


def assert_stays(answer: TestResponse) -> None:
    """Refused, or led to where a browser stays on this server."""
    if answer.status_code == 200:
        assert "evil.example" not in re.sub(r'action="[^"]*"|value="[^"]*"', "", answer.text)
        return
    assert answer.status_code == 302
    assert not re.search(r"[\\\s]", answer.location)
    led = urlsplit(urljoin("http://localhost/login", answer.location))
    assert (led.scheme, led.netloc) == ("http", "localhost"), answer.location


@pytest.mark.parametrize("away", AWAY)
def test_no_log_in_leads_away(away: str, eve: Browser, world: World) -> None:
    assert eve.email
    visitor = world.browser(VISITOR)
    page = visitor.client.get("/login", query_string={"next": away})
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert token
    answer = visitor.client.post(
        "/login",
        query_string={"next": away},
        data={"csrf_token": token[1], "email": eve.email, "password": PASSWORD, "next": away},
    )
    assert_stays(answer)


@pytest.mark.parametrize("away", AWAY)
def test_no_second_look_at_a_password_leads_away(away: str, eve: Browser) -> None:
    answer = eve.client.post(
        "/verify",
        query_string={"next": away},
        data={"csrf_token": eve.csrf_token(), "password": PASSWORD, "next": away},
    )
    assert_stays(answer)


@pytest.mark.parametrize("away", AWAY)
def test_no_log_out_leads_away(away: str, eve: Browser) -> None:
    answer = eve.client.post(
        "/logout", query_string={"next": away}, data={"csrf_token": eve.csrf_token(), "next": away}
    )
    assert_stays(answer)


def test_the_link_of_a_reset_does_not_follow_the_host_header(
    eve: Browser, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert eve.email
    visitor = world.browser(VISITOR)
    there = {"base_url": "http://evil.example"}
    token = re.search(
        r'name="csrf_token"[^>]*value="([^"]+)"', visitor.client.get("/reset", **there).text
    )
    assert token
    fields = {"csrf_token": token[1], "email": eve.email}
    headers = {"X-Forwarded-Host": "evil.example"}
    visitor.client.post("/reset", data=fields, headers=headers, **there)
    assert "/reset/" in caplog.text
    assert "evil.example" not in caplog.text


def test_a_log_in_starts_a_new_session(eve: Browser, world: World) -> None:
    """Whoever planted the cookie of before knows nothing of the one after."""
    assert eve.email
    visitor = world.browser(VISITOR)
    visitor.csrf_token()
    planted = visitor.client.get_cookie("session")
    assert planted is not None
    before = planted.value
    visitor.ask("POST", "/login", {"email": eve.email, "password": PASSWORD})
    after = visitor.client.get_cookie("session")
    assert after is not None
    assert after.value != before
    assert after.http_only
    assert after.same_site == "Lax"
    thief = world.app.test_client()
    thief.set_cookie("session", before)
    assert thief.get("/projects").status_code == 302


def test_addresses_with_and_without_an_account_look_alike(eve: Browser, world: World) -> None:
    assert eve.email
    for path, more in (("/login", {"password": "wrong-password"}), ("/reset", {})):
        pages = []
        for email in (eve.email, "nobody@example.com"):
            visitor = world.browser(VISITOR)
            answer = visitor.ask("POST", path, {"email": email, **more})
            text = re.sub(r'value="[^"]*"', "", answer.text).replace(email, "")
            pages.append((answer.status_code, text))
        assert pages[0] == pages[1]
