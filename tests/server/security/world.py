"""The whole web app with a person for every role, and an object of every kind to try them on."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from flask import Flask
from flask_security.utils import hash_password
from werkzeug.test import Client, TestResponse

from flask_performance.server.accounts.models import (
    Invitation,
    Key,
    Member,
    Project,
    Role,
    Team,
    Token,
    User,
    db,
    now,
)  # fmt: skip
from flask_performance.server.accounts.tokens import create_token

PASSWORD = "correct horse battery staple"
#: The team that everybody has from the start.
OWN = "Own"
VISITOR = "visitor"
STRANGER = "stranger"
#: Everybody who may come by.
WHO = (VISITOR, STRANGER, *(role.value for role in reversed(Role)))
NUMBERS = count(1)

#: What an address or a form names: the word in a row of the table to the object's address.
Objects = Mapping[str, str]


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass
class Browser:
    """One person's browser. Forms carry the session's own token, as the pages' forms do."""

    client: Client
    email: str | None = None
    token: str = ""

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> TestResponse:
        if method == "GET":
            return self.client.get(path, buffered=True)
        fields = {"csrf_token": self.csrf_token(), **(form or {})}
        return self.client.open(path, method=method, data=fields, buffered=True)

    def csrf_token(self) -> str:
        page = self.client.get("/teams/new" if self.email else "/login").text
        match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert match, page
        return match[1]

    def api(self, method: str, path: str, body: Any = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.client.open(
            f"/api/v1{path}", method=method, headers=headers, **({"json": body} if body else {})
        )


@dataclass
class World:
    """One app for many tests: each tries its own, new objects."""

    app: Flask
    hash: str = ""
    people: dict[str, Browser] = field(default_factory=dict)
    #: An owner and a viewer of every team that is made.
    others: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        with self.app.app_context():
            self.hash = hash_password(PASSWORD)
            self.add_user()  # the first account is the administrator: none of the roles
            self.others = (self.add_user().id, self.add_user().id)

    def add_user(self) -> User:
        """Somebody new, with a team of their own. In an app context."""
        user = User(
            email=f"person{next(NUMBERS)}@example.com", password=self.hash, active=True,
            fs_uniquifier=secrets.token_hex(16), confirmed_at=now(),
        )  # fmt: skip
        team = Team(name=OWN)
        db.session.add_all([user, team])
        db.session.flush()
        join(team, user, Role.OWNER)
        db.session.commit()
        return user

    def browser(self, who: str, *, fresh: bool = False) -> Browser:
        """The browser of somebody of this kind, logged in unless a visitor. `fresh`: for a test
        that spoils the account or its session."""
        if who == VISITOR:
            return Browser(self.app.test_client())
        if fresh:
            return self._log_in()
        if who not in self.people:
            self.people[who] = self._log_in()
        return self.people[who]

    def _log_in(self) -> Browser:
        with self.app.app_context():
            user = self.add_user()
            browser = Browser(self.app.test_client(), token=create_token(user, "test"))
            email = user.email
        answer = browser.ask("POST", "/login", {"email": email, "password": PASSWORD})
        assert answer.status_code == 302, answer.text
        browser.email = email
        return browser

    def objects(self, browser: Browser, role: Role | None) -> Objects:
        """A new team with one thing of every kind, in which the browser's person has this role."""
        with self.app.app_context():
            owner, other = (db.session.get_one(User, number) for number in self.others)
            team = Team(name=f"Team {next(NUMBERS)}")
            db.session.add(team)
            db.session.flush()
            join(team, owner, Role.OWNER)
            join(team, other, Role.VIEWER)
            if role is not None:
                join(team, self._user(browser), role)
            return {
                "team": team.public_id, "team_name": team.name,
                "owner": owner.email, "other": other.email,
                **self._own(browser),
                **add_things(team, owner),
            }  # fmt: skip

    def is_open(self, invitation: str) -> bool:
        """Whether nobody revoked the invitation."""
        with self.app.app_context():
            found = db.session.query(Invitation).filter_by(public_id=invitation).one()
            return found.revoked_at is None

    def _user(self, browser: Browser) -> User:
        return db.session.query(User).filter_by(email=browser.email).one()

    def _own(self, browser: Browser) -> Objects:
        """What belongs to the browser's person alone."""
        if browser.email is None:
            return {"my_token": "0" * 16, "elsewhere": "0" * 16}
        user = self._user(browser)
        own = db.session.query(Team).join(Member).filter(Member.user_id == user.id)
        own = own.filter(Team.name == OWN)
        token = Token(user_id=user.id, name="Mine", scopes="read", secret_sha256=sha256(secret()))
        db.session.add(token)
        db.session.flush()
        return {"my_token": token.public_id, "elsewhere": own.one().public_id}


def secret() -> str:
    return secrets.token_urlsafe(32)


def join(team: Team, user: User, role: Role) -> None:
    db.session.add(Member(team_id=team.id, user_id=user.id, role=role))


def add_things(team: Team, owner: User) -> Objects:
    """One of everything that a team has."""
    link = secret()
    project = Project(team_id=team.id, name="Shop", keys=[Key(), Key(name="Second")])
    invitation = Invitation(
        team_id=team.id, role=Role.VIEWER, secret_sha256=sha256(link), invited_by=owner.email,
        expires_at=now() + timedelta(days=7),
    )  # fmt: skip
    token = Token(
        user_id=owner.id, team_id=team.id, name="CI", scopes="read write",
        secret_sha256=sha256(secret()),
    )  # fmt: skip
    db.session.add_all([project, invitation, token])
    db.session.commit()
    return {
        "project": project.public_id, "project_name": project.name,
        "key": project.keys[0].public_id, "dsn_key": project.keys[0].key,
        "token": token.public_id, "invitation": invitation.public_id, "link": link,
    }  # fmt: skip
