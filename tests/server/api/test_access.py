"""Who is let in, and what others see."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from flask_performance.server.accounts import models, teams
from flask_performance.server.accounts.models import Member, Role, Token, db, now
from flask_performance.server.accounts.permissions import Action, Scope, may
from flask_performance.server.accounts.users import user_by_email
from flask_performance.server.api.endpoints import ENDPOINTS, Endpoint

from .support import Person, Project, check

EACH = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
OF_A_PROJECT = pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in ENDPOINTS if "{id}" in endpoint.path],
    ids=lambda e: f"{e.method} {e.path}",
)


def body_of(endpoint: Endpoint) -> dict[str, Any]:
    return {"json": {"name": "App"}} if endpoint.body else {}


def add_member(project: Project, person: Person, role: Role) -> None:
    with person.app.app_context():
        user = user_by_email(person.email)
        assert user is not None
        db.session.add(Member(team_id=project.team_id, user_id=user.id, role=role))
        db.session.commit()


@OF_A_PROJECT
def test_another_teams_project_looks_like_none(
    endpoint: Endpoint, shop: Project, bob: Person
) -> None:
    theirs = bob.ask(endpoint.method, endpoint.path.format(id=shop.id), **body_of(endpoint))
    nothing = bob.ask(endpoint.method, endpoint.path.format(id="0" * 16), **body_of(endpoint))
    assert theirs.status_code == nothing.status_code == 404
    assert theirs.data == nothing.data
    assert theirs.json
    assert theirs.json["error"]["code"] == "not_found"
    assert (
        shop.owner.ask(
            endpoint.method, endpoint.path.format(id=shop.id), **body_of(endpoint)
        ).status_code
        == endpoint.status
    )


@OF_A_PROJECT
def test_wrong_parameters_do_not_tell_a_project_from_none(
    endpoint: Endpoint, shop: Project, bob: Person
) -> None:
    path = endpoint.path.format(id=shop.id)
    assert bob.ask(endpoint.method, f"{path}?start=x&y=z").status_code == 404


@OF_A_PROJECT
def test_the_stores_number_of_a_project_opens_nothing(endpoint: Endpoint, shop: Project) -> None:
    path = endpoint.path.format(id=shop.store_id)
    assert shop.owner.ask(endpoint.method, path).status_code == 404


@OF_A_PROJECT
@pytest.mark.parametrize("role", Role)
def test_a_member_does_what_the_role_may(
    endpoint: Endpoint, role: Role, shop: Project, bob: Person
) -> None:
    add_member(shop, bob, role)
    answer = bob.ask(endpoint.method, endpoint.path.format(id=shop.id), **body_of(endpoint))
    assert answer.status_code == (endpoint.status if may(role, endpoint.action) else 403)


@EACH
def test_a_token_does_what_its_scopes_say(
    endpoint: Endpoint, app: Flask, shop: Project, ada: Person
) -> None:
    for scope in Scope:
        answer = ask(app, endpoint, shop, headers=ada.bearer(scopes=[scope]))
        if scope is endpoint.scope:
            assert answer.status_code == endpoint.status
            continue
        assert answer.status_code == 403
        assert answer.headers["WWW-Authenticate"] == (
            'Bearer realm="Flask-Performance", error="insufficient_scope", '
            f'scope="{endpoint.scope}"'
        )
        assert answer.json
        assert answer.json["error"]["code"] == "insufficient_scope"
        assert f"'{endpoint.scope}'" in answer.json["error"]["message"]


def test_methods_that_change_something_ask_for_write() -> None:
    assert all(endpoint.scope is Scope.WRITE for endpoint in ENDPOINTS if endpoint.method != "GET")


@EACH
def test_an_expired_token_says_so(
    endpoint: Endpoint, app: Flask, shop: Project, ada: Person
) -> None:
    headers = ada.bearer(days=1)
    with app.app_context():
        db.session.execute(update(Token).values(expires_at=now()).where(Token.expires_at > now()))
        db.session.commit()
    answer = ask(app, endpoint, shop, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].endswith('error="invalid_token"')
    assert answer.json
    assert "it expired on" in answer.json["error"]["message"]


class TestTheTokenOfATeam:
    def test_sees_and_makes_only_there(self, app: Flask, ada: Person, shop: Project) -> None:
        with app.app_context():
            user = user_by_email(ada.email)
            assert user is not None
            other = teams.create_team(user, "Other").public_id
        elsewhere = ada.ask("POST", "/projects", json={"name": "Blog", "team": other}).json
        assert elsewhere
        (mine,) = [team for team in ada.get("/teams")["items"] if team["id"] != other]
        robot = replace(ada, token=ada.new_token(team=mine["id"]))
        assert robot.get("/teams")["items"] == [mine]
        assert [one["id"] for one in robot.get("/projects")["items"]] == [shop.id]
        assert robot.ask("GET", f"/projects/{elsewhere['id']}").status_code == 404
        there = robot.ask("POST", "/projects", json={"name": "Wiki", "team": other})
        assert there.status_code == 400
        assert there.json
        assert there.json["error"]["code"] == "unknown_team"
        made = robot.ask("POST", "/projects", json={"name": "Wiki"})
        assert made.json
        assert made.json["team"]["id"] == mine["id"]

    def test_ends_with_its_makers_role(
        self, app: Flask, ada: Person, shop: Project, bob: Person
    ) -> None:
        add_member(shop, bob, Role.ADMIN)
        (team,) = bob.get("/teams")["items"]
        robot = replace(bob, token=bob.new_token(team=team["id"]))
        assert robot.ask("GET", f"/projects/{shop.id}").status_code == 200
        with app.app_context():
            db.session.execute(
                update(Member)
                .values(role=Role.MEMBER)
                .where(Member.team_id == shop.team_id, Member.role == Role.ADMIN)
            )
            db.session.commit()
        assert robot.ask("GET", f"/projects/{shop.id}").status_code == 401
        assert bob.ask("GET", f"/projects/{shop.id}").status_code == 200


class TestTheDsn:
    """Whoever has it writes, so it is for who may write."""

    @pytest.mark.parametrize("role", Role)
    def test_is_for_roles_that_may_see_it(self, role: Role, shop: Project, bob: Person) -> None:
        add_member(shop, bob, role)
        (listed,) = bob.get("/projects")["items"]
        assert (listed["dsn"] is not None) is may(role, Action.SEE_DSN)
        assert bob.get(f"/projects/{shop.id}") == listed

    def test_is_not_for_a_token_that_reads(self, shop: Project, ada: Person) -> None:
        reader = replace(ada, token=ada.new_token(scopes=[Scope.READ]))
        assert reader.get(f"/projects/{shop.id}")["dsn"] is None
        assert ada.get(f"/projects/{shop.id}")["dsn"]


def test_keys_are_listed_newest_first(app: Flask, shop: Project) -> None:
    with app.app_context():
        project = db.session.get(models.Project, shop.store_id)
        assert project is not None
        project.keys[0].revoked_at = project.keys[0].last_used_at = now()
        project.keys.append(models.Key(name="Web", used=7))
        db.session.commit()
    web, first = shop.get("keys")["items"]
    assert (web["name"], web["requests"], web["revoked"]) == ("Web", 7, None)
    assert web["dsn"] == shop.owner.get(f"/projects/{shop.id}")["dsn"]
    assert first["revoked"]
    assert first["revoked"] == first["last_used"]


@EACH
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer fp_wrong", "Basic YWRhOmFkYQ==", "token", "Bearer é"],
)
def test_no_token_no_answer(
    endpoint: Endpoint, authorization: str | None, app: Flask, shop: Project
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = ask(app, endpoint, shop, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="Flask-Performance"')
    assert answer.json
    assert "flask-performance token create" in answer.json["error"]["message"]


@EACH
def test_a_cookie_is_no_token(endpoint: Endpoint, app: Flask, shop: Project) -> None:
    client = app.test_client()
    with app.app_context():
        user = user_by_email(shop.owner.email)
        assert user is not None
        with client.session_transaction() as session:
            session["_user_id"] = user.fs_uniquifier
            session["_fresh"] = True
    path = endpoint.path.format(id=shop.id)
    answer = client.open(f"/api/v1{path}", method=endpoint.method, **body_of(endpoint))
    assert answer.status_code == 401


@EACH
def test_a_token_is_no_parameter(endpoint: Endpoint, app: Flask, shop: Project) -> None:
    query = {"token": shop.owner.token, "access_token": shop.owner.token}
    assert ask(app, endpoint, shop, query_string=query).status_code == 401


def ask(app: Flask, endpoint: Endpoint, project: Project, **options: Any) -> TestResponse:
    path = endpoint.path.format(id=project.id)
    answer = app.test_client().open(
        f"/api/v1{path}", method=endpoint.method, **body_of(endpoint), **options
    )
    check(answer, endpoint.method, path)
    return answer


class TestCreating:
    def test_a_project_comes_with_its_dsn(self, ada: Person) -> None:
        answer = ada.ask(
            "POST", "/projects", json={"name": " Shop "}, base_url="http://perf.lan:81"
        )
        assert answer.status_code == 201
        project = answer.json
        assert project
        assert project["name"] == "Shop"
        assert project["team"]["name"] == "Personal"
        assert project["dsn"].startswith("http://perf.lan:81/v1/collector/")
        assert ada.get(f"/projects/{project['id']}")["id"] == project["id"]
        assert [p["id"] for p in ada.get("/projects")["items"]] == [project["id"]]

    def test_in_a_team_of_ones_own(self, ada: Person, shop: Project) -> None:
        (team,) = ada.get("/teams")["items"]
        assert team["role"] == "owner"
        made = ada.ask("POST", "/projects", json={"name": "Blog", "team": team["id"]})
        assert made.json
        assert made.json["team"] == {"id": team["id"], "name": team["name"]}

    def test_not_in_another_team(self, ada: Person, shop: Project, bob: Person) -> None:
        (team,) = ada.get("/teams")["items"]
        for unknown in (team["id"], "0" * 16, ""):
            answer = bob.ask("POST", "/projects", json={"name": "Blog", "team": unknown})
            assert answer.status_code == 400
            assert answer.json
            assert answer.json["error"]["code"] == "unknown_team"
        assert bob.get("/teams")["items"] == []

    def test_not_as_a_viewer(self, ada: Person, shop: Project, bob: Person) -> None:
        add_member(shop, bob, Role.VIEWER)
        (team,) = bob.get("/teams")["items"]
        answer = bob.ask("POST", "/projects", json={"name": "Blog", "team": team["id"]})
        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"", "Input data was truncated"),
            (b"{", "Input data was truncated"),
            (b"[]", "Expected `object`"),
            (b"{}", "missing required field `name`"),
            (b'{"name": 7}', "$.name"),
            (b'{"name": null}', "$.name"),
            (b'{"name": "a", "team": 7}', "$.team"),
            (b'{"name": "a", "id": 7}', "unknown field `id`"),
            (b'{"name": ""}', "A name has 1 to 80 characters"),
            (b'{"name": "Shop"}', "already has a project named 'Shop'"),
            (b'{"name": "\xff"}', "utf-8"),
            (b"[" * 50_000, "Expected `object`"),
        ],
    )
    def test_a_wrong_body_is_explained(self, shop: Project, body: bytes, words: str) -> None:
        answer = shop.owner.ask("POST", "/projects", data=body, content_type="application/json")
        assert answer.status_code == 400
        assert answer.json
        assert words.lower() in answer.json["error"]["message"].lower()

    def test_a_form_is_not_json(self, ada: Person) -> None:
        answer = ada.ask("POST", "/projects", data={"name": "Shop"})
        assert answer.status_code == 415
        assert ada.get("/projects")["items"] == []

    def test_a_body_out_of_all_proportion(self, ada: Person) -> None:
        answer = ada.ask("POST", "/projects", json={"name": "x" * 70_000})
        assert answer.status_code == 413
