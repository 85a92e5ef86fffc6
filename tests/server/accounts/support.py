"""A small app with accounts, and a browser for it."""

import html
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask_security import auth_required, current_user
from flask_wtf.csrf import generate_csrf  # type: ignore[import-untyped]
from werkzeug.test import TestResponse

from flask_performance.server import accounts
from flask_performance.server.accounts import first, models
from flask_performance.server.settings import Settings, SignUp

EMAIL = "ada@example.org"
PASSWORD = "correct horse battery staple"


def make_app(
    data: Path, url: str | None = None, signup: SignUp = SignUp.OPEN, **settings: Any
) -> Flask:
    """What `create_web` does, without pages: /projects says who is logged in, and has a form."""
    chosen = Settings(data=data, url=url, signup=signup, **settings)
    app = Flask(__name__)
    accounts.init_app(app, chosen)
    accounts.upgrade(app)

    @app.get("/projects")
    @auth_required("session")
    def projects() -> str:
        return (
            f"<p>you are {current_user.email}</p>"
            f'<form><input name="csrf_token" value="{generate_csrf()}"></form>'
        )

    return app


def make_user(email: str) -> models.User:
    """An account that nobody logs in to: without the cost of a password."""
    user = models.User(email=email, fs_uniquifier=secrets.token_hex(32))
    models.db.session.add(user)
    models.db.session.commit()
    return user


class Browser:
    """A person's browser: keeps cookies, sends a form's CSRF token along."""

    def __init__(self, app: Flask, base_url: str = "http://localhost") -> None:
        self.app = app
        self.client = app.test_client()
        self.base_url = base_url

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, base_url=self.base_url)

    def post(self, path: str, form_at: str = "/login", **fields: str) -> TestResponse:
        """Post fields with the CSRF token of the form at a path."""
        return self.post_bare(path, csrf_token=self.csrf_token(form_at), **fields)

    def post_bare(self, path: str, **fields: str) -> TestResponse:
        headers = {"Referer": self.base_url + path}
        return self.client.post(path, data=fields, base_url=self.base_url, headers=headers)

    def csrf_token(self, form_at: str) -> str:
        page = self.get(form_at).text
        match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert match, page
        return match[1]

    def sign_up(self, email: str = EMAIL, password: str = PASSWORD) -> TestResponse:
        """By the link to the first account, where there is none yet."""
        self.open_first_link()
        return self.post("/signup", form_at="/signup", email=email, password=password)

    def open_first_link(self) -> None:
        """What who runs the server does first. Nothing where somebody has an account."""
        with self.app.app_context():
            link = first.link()
        if link is not None:
            parts = urlsplit(link)
            assert self.get(f"{parts.path}?{parts.query}").status_code == 302

    def log_in(self, email: str = EMAIL, password: str = PASSWORD, query: str = "") -> TestResponse:
        return self.post(f"/login{query}", email=email, password=password)

    def logged_in_as(self) -> str | None:
        """The email on /projects; None when that page sends to /login."""
        answer = self.get("/projects")
        if answer.status_code == 302:
            assert answer.location.startswith("/login")
            return None
        return words(answer).strip().removeprefix("you are ")

    def log_out(self) -> TestResponse:
        return self.post("/logout", form_at="/projects")


def words(answer: TestResponse) -> str:
    """The text of a page: without tags, form values and CSRF tokens."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", answer.text)))
