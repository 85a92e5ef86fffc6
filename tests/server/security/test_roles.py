"""Every route, every role, one's own team's object and another's: one table says who may."""

import re

import pytest
from werkzeug.test import TestResponse

from flask_performance.server.accounts.models import Role
from flask_performance.server.accounts.permissions import Action, may
from flask_performance.server.api import openapi
from flask_performance.server.api.endpoints import ENDPOINTS

from .routes import ANYONE, API, PAGES, PERSON, Row
from .world import STRANGER, VISITOR, WHO, Browser, Objects, World

#: Flask-Security's own files (scripts of its own pages): public, and nobody's.
SHIPPED = "/fs-static/<path:filename>"
pages = pytest.mark.parametrize("row", PAGES, ids=str)
in_api = pytest.mark.parametrize("row", API, ids=str)


def shape(path: str) -> str:
    """A path without what its variables are called."""
    return re.sub(r"<[^>]*>|\{[^}]*\}", "*", path)


def test_every_route_is_in_the_table(world: World) -> None:
    adapter = world.app.url_map.bind("localhost")
    example = {name: "0" * 16 for row in PAGES for name in re.findall(r"\{(\w+)\}", row.path)}
    known = {
        (row.method, rule.rule)
        for row in PAGES
        for rule, _ in [adapter.match(row.path.format_map(example), row.method, return_rule=True)]
    }
    missing = [
        f"{method} {rule.rule}"
        for rule in world.app.url_map.iter_rules()
        if not rule.rule.startswith(openapi.PREFIX) and rule.rule != SHIPPED
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if (method, rule.rule) not in known
    ]
    assert missing == [], "say in routes.py who may ask for these"


def test_every_endpoint_of_the_api_is_in_the_table() -> None:
    assert {(row.method, shape(row.path)) for row in API} == {
        (endpoint.method, shape(endpoint.path)) for endpoint in ENDPOINTS
    }


def test_the_table_has_no_route_twice() -> None:
    for table in (PAGES, API):
        rows = [str(row) for row in table]
        assert len(rows) == len(set(rows))


def role_of(who: str) -> Role | None:
    return None if who in (VISITOR, STRANGER) else Role(who)


def filled(row: Row, objects: Objects) -> tuple[str, dict[str, str]]:
    """The path and the form for these objects."""
    return row.path.format_map(objects), {k: v.format_map(objects) for k, v in row.form.items()}


def ask(world: World, row: Row, who: str) -> TestResponse:
    browser = world.browser(who, fresh=row.spoils)
    path, form = filled(row, world.objects(browser, role_of(who)))
    return browser.ask(row.method, path, form)


def to_log_in(answer: TestResponse) -> bool:
    return answer.status_code == 302 and answer.location.startswith("/login")


@pages
@pytest.mark.parametrize("who", WHO)
def test_a_page_answers_who_may_ask(row: Row, who: str, world: World) -> None:
    answer = ask(world, row, who)
    if row.who == ANYONE:
        expected = row.visitor or row.let_in if who == VISITOR else row.let_in
    elif who == VISITOR:
        assert to_log_in(answer), (answer.status_code, answer.headers.get("Location"))
        return
    else:
        expected = allowed(row, who)
    assert answer.status_code in expected, heading(answer)
    assert row.who == ANYONE or not to_log_in(answer)


def heading(answer: TestResponse) -> str:
    """What a failure shows of an answer."""
    found = re.search(r"<h1>.*?</h1>", answer.text, re.DOTALL)
    return found[0] if found else answer.text[:300]


def allowed(row: Row, who: str) -> tuple[int, ...]:
    """The statuses of somebody who is known."""
    if not isinstance(row.who, Action):
        return row.let_in
    if who == STRANGER:
        return (404,)
    return row.let_in if may(role_of(who), row.who) else (403,)


def test_the_roles_are_told_apart() -> None:
    """The table above would prove little if all roles might do everything."""
    least = {row.who for row in (*PAGES, *API) if isinstance(row.who, Action)}
    assert {tuple(may(role, action) for role in Role) for action in least} >= {
        (True, True, True, True), (True, True, True, False), (True, True, False, False),
    }  # fmt: skip


NESTED = [row for row in PAGES if isinstance(row.who, Action) and row.path.count("{") > 1]


@pytest.mark.parametrize("row", NESTED, ids=str)
def test_another_teams_object_is_not_reached_through_ones_own(row: Row, world: World) -> None:
    owner = world.browser(Role.OWNER)
    mine, theirs = world.objects(owner, Role.OWNER), world.objects(owner, None)
    first = re.findall(r"\{(\w+)\}", row.path)[0]
    mixed = {**theirs, first: mine[first]}
    path, form = filled(row, mixed)
    assert owner.ask(row.method, path, form).status_code == row.mixed
    if row.mixed != 404:
        assert world.is_open(theirs["invitation"])


#: Whoever holds the link of an invitation may use it, so it is nobody else's.
OWNED = [r for r in PAGES if "{" in r.path and "{link}" not in r.path]


@pytest.mark.parametrize("row", OWNED, ids=str)
def test_not_yours_looks_like_not_there(row: Row, world: World) -> None:
    stranger = world.browser(STRANGER)
    theirs = world.objects(stranger, None)
    if row.who == PERSON:
        theirs = {**theirs, **dict.fromkeys(("my_token",), theirs["token"])}
    nothing = {**theirs, **dict.fromkeys(re.findall(r"\{(\w+)\}", row.path), "0" * 16)}
    stranger.csrf_token()  # a page takes what the test before may have left to be said
    answers = [stranger.ask(row.method, *filled(row, objects)) for objects in (theirs, nothing)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert without_csrf(answers[0]) == without_csrf(answers[1])


def without_csrf(answer: TestResponse) -> str:
    return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text)


@pytest.mark.parametrize("row", [row for row in PAGES if row.method != "GET"], ids=str)
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_form_from_elsewhere_changes_nothing(row: Row, token: str | None, world: World) -> None:
    owner = world.browser(Role.OWNER)
    path, form = filled(row, world.objects(owner, Role.OWNER))
    if token is not None:
        form["csrf_token"] = token
    assert owner.client.open(path, method=row.method, data=form).status_code == 400


def api(browser: Browser, row: Row, objects: Objects) -> TestResponse:
    path, body = filled(row, objects)
    return browser.api(row.method, path, body or None)


@in_api
@pytest.mark.parametrize("who", WHO)
def test_the_api_answers_who_may_ask(row: Row, who: str, world: World) -> None:
    browser = world.browser(who)
    answer = api(browser, row, world.objects(browser, role_of(who)))
    if who == VISITOR:
        expected: tuple[int, ...] = (401,)
    elif who == STRANGER and "team" in row.form:
        expected = (400,)  # the body names a team that is none of theirs
    else:
        expected = allowed(row, who)
    assert answer.status_code in expected, heading(answer)


@in_api
def test_the_api_knows_no_cookie(row: Row, world: World) -> None:
    owner = world.browser(Role.OWNER)
    objects = world.objects(owner, Role.OWNER)
    bare = Browser(owner.client)
    assert api(bare, row, objects).status_code == 401


@pages
def test_a_token_opens_no_page(row: Row, world: World) -> None:
    if row.who == ANYONE:
        return
    owner = world.browser(Role.OWNER)
    path, _form = filled(row, world.objects(owner, Role.OWNER))
    visitor = world.browser(VISITOR)
    headers = {"Authorization": f"Bearer {owner.token}", "Authentication-Token": owner.token}
    if row.method == "GET":
        answer = visitor.client.get(path, headers=headers, query_string={"auth_token": owner.token})
        assert to_log_in(answer)
