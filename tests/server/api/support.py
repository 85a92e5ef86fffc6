"""A client of the REST API that checks every answer against the OpenAPI document."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.test import TestResponse

from flask_performance.server.accounts import models, teams, tokens, users
from flask_performance.server.api import openapi

DOCUMENT = openapi.document()


def check(answer: TestResponse, method: str, path: str) -> None:
    """The status is one that the document foresees, the body has the shape it promises."""
    template = re.sub(r"^/projects/[^/]+", "/projects/{id}", path)
    responses = DOCUMENT["paths"][template][method.lower()]["responses"]
    schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    root = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(root, format_checker=FormatChecker()).validate(answer.json)


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    app: Flask
    email: str
    token: str

    @classmethod
    def create(cls, app: Flask, email: str) -> "Person":
        with app.app_context():
            user = users.create_user(email, "correct horse battery staple")
            return cls(app, email, tokens.create_token(user, "test"))

    def new_token(self, *, team: str | None = None, **options: Any) -> str:
        """Another token of this person; `team` by its public id."""
        with self.app.app_context():
            user = users.user_by_email(self.email)
            assert user is not None
            within = None if team is None else teams.team_for(user, team)
            return tokens.create_token(user, "another", team=within, **options)

    def bearer(self, **options: Any) -> dict[str, str]:
        """The header of another token."""
        return {"Authorization": f"Bearer {self.new_token(**options)}"}

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        """One request, checked."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.app.test_client().open(
            f"/api/v1{path}", method=method, headers=headers, **options
        )
        check(answer, method, urlsplit(path).path)
        return answer

    def get(self, path: str, **parameters: str | int) -> Any:
        """The body of a 200."""
        answer = self.ask("GET", path, query_string=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json

    def refused(self, path: str, **parameters: str | int) -> Any:
        """The error of a 400."""
        answer = self.ask("GET", path, query_string=parameters)
        assert answer.status_code == 400, answer.text
        return answer.json["error"]  # type: ignore[index]

    def create_project(self, name: str) -> "Project":
        answer = self.ask("POST", "/projects", json={"name": name})
        assert answer.status_code == 201, answer.text
        assert answer.json
        with self.app.app_context():
            row = (
                models.db.session.query(models.Project).filter_by(public_id=answer.json["id"]).one()
            )
            return Project(self, row.id, row.public_id, row.team_id)


@dataclass(frozen=True)
class Project:
    owner: Person
    store_id: int
    id: str
    team_id: int

    def get(self, part: str, **parameters: str | int) -> Any:
        return self.owner.get(f"/projects/{self.id}/{part}", **parameters)

    def refused(self, part: str, **parameters: str | int) -> Any:
        return self.owner.refused(f"/projects/{self.id}/{part}", **parameters)
