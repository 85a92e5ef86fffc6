"""The pages on real accounts and a real store, without a network."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from flask_performance.server import accounts, dashboard
from flask_performance.server.accounts import projects, teams, users
from flask_performance.server.settings import Settings
from flask_performance.server.store.base import StoreUnavailableError
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.store.builders import block

PASSWORD = "correct horse battery staple"


@dataclass
class World:
    """An app with two people, each with a team and a project."""

    app: Flask
    store: DuckDBStore
    mine: str  # Ada's project
    mine_id: int
    theirs: str  # Grace's

    def person(self, email: str = "ada@example.com") -> "Person":
        return Person(self.app, email)

    def receive(self, count: int, **columns: object) -> None:
        """Requests of this moment to Ada's project."""
        now_us = time.time_ns() // 1000
        rows = [{"start_us": now_us - 2_000_000 - place, **columns} for place in range(count)]
        self.store.append(
            block(rows, project_id=self.mine_id, received_us=now_us), self.store.position() + 1
        )


class Person:
    """A browser of one person, logged in."""

    def __init__(self, app: Flask, email: str) -> None:
        self.client = app.test_client()
        answer = self.post("/login", email=email, password=PASSWORD)
        assert answer.status_code == 302, answer.text

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **fields: str) -> TestResponse:
        """Post a form that is shown at the same path."""
        return self.client.post(path, data={"csrf_token": self.csrf_token(path), **fields})

    def csrf_token(self, path: str) -> str:
        """Of the form at a path."""
        match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path).text)
        assert match
        return match[1]

    @property
    def cookies(self) -> str:
        """The Cookie header that the browser sends."""
        cookie = self.client.get_cookie("session")
        assert cookie is not None
        return f"session={cookie.value}"


def nothing_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk. The job that sweeps deletes the rows later (tests/server/test_jobs.py)."""

    def away(project_id: int) -> None:
        raise StoreUnavailableError(f"no space left on device for {project_id}")

    monkeypatch.setattr(world.store, "delete_project", away)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(data=tmp_path)
    with closing(DuckDBStore(settings.events)) as store:
        app = Flask("tests")
        accounts.init_app(app, settings)
        accounts.upgrade(app)
        dashboard.init_app(app, store)
        with app.app_context():
            mine, theirs = (
                projects.create_project(
                    teams.create_team(users.create_user(email, PASSWORD), "Team"), "Shop"
                )
                for email in ("ada@example.com", "grace@example.com")
            )
            world = World(app, store, mine.public_id, mine.id, theirs.public_id)
        yield world
