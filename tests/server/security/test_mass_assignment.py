"""More in a form or in JSON than it asks for changes nothing: no role, no team, no owner."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from flask_performance.server.accounts import users
from flask_performance.server.accounts.models import (
    Base,
    Invitation,
    Key,
    Member,
    Project,
    Team,
    Token,
    User,
    db,
)  # fmt: skip
from flask_performance.server.accounts.models import Role as MemberRole
from flask_performance.server.app import create_web
from flask_performance.server.settings import Settings, SignUp
from flask_performance.server.store.duckdb import DuckDBStore

from .routes import ANYONE, API, PAGES, Row
from .test_roles import filled
from .world import PASSWORD, Browser, World

#: Everything that a table has and no form should give, under the names that forms might read.
EXTRA = {
    "id": "1", "public_id": "0" * 16, "user_id": "1", "team_id": "1", "project_id": "1",
    "role": "owner", "roles": "owner", "administrator": "1", "active": "0", "personal": "1",
    "confirmed_at": "2020-01-01", "fs_uniquifier": "x", "tf_totp_secret": "x",
    "secret_sha256": "0" * 64, "scopes": "read write", "key": "0" * 32, "revoked_at": "",
    "accepted_at": "2020-01-01", "used": "0", "invited_by": "eve@example.com", "quota_month": "1",
    "keep_raw_days": "1", "apdex_us": "1", "actor": "eve@example.com", "email": "eve@example.com",
}  # fmt: skip
#: What may not change but by the deeds that are for it.
GUARDED: dict[type[Base], tuple[str, ...]] = {
    User: (
        "id", "email", "active", "administrator", "fs_uniquifier", "password", "tf_totp_secret",
        "tf_primary_method", "confirmed_at",
    ),
    Team: ("id", "public_id", "personal"),
    Member: ("team_id", "user_id", "role"),
    Project: ("id", "public_id", "team_id", "quota_month", "keep_raw_days"),
    Key: ("id", "public_id", "project_id", "key"),
    Token: ("id", "public_id", "user_id", "team_id", "scopes", "secret_sha256", "expires_at"),
    Invitation: ("id", "public_id", "team_id", "role", "secret_sha256", "invited_by"),
}  # fmt: skip
#: The deeds that are for it: what they change.
MEANT = {
    "/teams/{team}/members/role": Member,
    "/projects/{project}/settings/move": Project,
    "/projects/{project}/settings/limits": Project,
    "/account/devices/sign-out-others": User,
    "/account/email": User,
}
FORMS = [row for row in PAGES if row.method == "POST" and row.who != ANYONE]


def guarded() -> dict[str, dict[object, tuple[object, ...]]]:
    """The guarded columns of every row, by table and primary key."""
    db.session.expire_all()
    return {
        model.__name__: {
            tuple(db.inspect(row).identity): tuple(getattr(row, name) for name in names)
            for row in db.session.query(model)
        }
        for model, names in GUARDED.items()
    }


@pytest.mark.parametrize("row", FORMS, ids=str)
def test_of_a_form(row: Row, world: World) -> None:
    owner = world.browser("owner", fresh=True)
    objects = world.objects(owner, MemberRole.OWNER)
    path, form = filled(row, objects)
    with world.app.app_context():
        before = guarded()
    owner.ask("POST", path, {**EXTRA, **form})
    with world.app.app_context():
        after = guarded()
    for model in GUARDED:
        name = model.__name__
        if MEANT.get(row.path) is not model:
            kept = {key: values for key, values in before[name].items() if key in after[name]}
            assert {key: after[name][key] for key in kept} == kept
        new = [one for key, one in after[name].items() if key not in before[name]]
        assert not [one for one in new if any(value is not True and value == 1 for value in one)]
    with world.app.app_context():
        assert db.session.query(User).filter_by(administrator=True).count() == 0
        assert db.session.query(Token).filter_by(secret_sha256="0" * 64).count() == 0


@pytest.mark.parametrize("row", [row for row in API if row.method != "GET"], ids=str)
@pytest.mark.parametrize("name", EXTRA)
def test_of_json(row: Row, name: str, world: World) -> None:
    owner = world.browser("owner")
    path, body = filled(row, world.objects(owner, MemberRole.OWNER))
    answer = owner.api(row.method, path, {**body, name: EXTRA[name]})
    assert answer.status_code == 400
    assert f"unknown field `{name}`" in answer.text


@pytest.fixture
def open_app(tmp_path: Path) -> Iterator[Flask]:
    """Everybody may sign up; somebody else is the first."""
    settings = Settings(data=tmp_path, signup=SignUp.OPEN)
    with closing(DuckDBStore(settings.events)) as store:
        app = create_web(settings, store)
        with app.app_context():
            users.create_user("first@example.com", PASSWORD)
        yield app


def test_of_the_sign_up(open_app: Flask) -> None:
    browser = Browser(open_app.test_client())
    fields = {**EXTRA, "email": "eve@example.com", "password": PASSWORD}
    answer = browser.ask("POST", "/signup", fields)
    assert answer.status_code == 302, answer.text
    with open_app.app_context():
        eve = users.user_by_email("eve@example.com")
        assert eve is not None
        assert (eve.administrator, eve.active, eve.tf_totp_secret) == (False, True, None)
        assert eve.fs_uniquifier != "x"
        assert eve.id != 1
        assert [member.role for member in eve.members if not member.team.personal] == []
