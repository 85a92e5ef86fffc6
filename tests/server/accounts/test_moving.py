"""The accounts of a data folder in PostgreSQL: everybody and everything, with the same ids."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select

from flask_performance.server import accounts
from flask_performance.server.accounts.commands import opened
from flask_performance.server.accounts.models import Member, Project, Role, Team, User, db
from flask_performance.server.commands import cli
from flask_performance.server.settings import Settings
from tests.support.postgresql import PostgreSQL

pytestmark = [pytest.mark.slow, pytest.mark.embedded]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["copy-accounts", *map(str, arguments)])


def fill(folder: Path) -> None:
    """A user with two projects, of which the first is gone: ids have a gap."""
    with opened(folder):
        ada = User(email="ada@example.com", fs_uniquifier="ada", password="hash", active=True)
        team = Team(name="Lovelace")
        db.session.add_all([ada, team])
        db.session.flush()
        db.session.add(Member(team_id=team.id, user_id=ada.id, role=Role.OWNER))
        gone, shop = Project(team_id=team.id, name="gone"), Project(team_id=team.id, name="shop")
        for project in (gone, shop):
            db.session.add(project)
            db.session.flush()
        db.session.delete(gone)
        db.session.commit()


def test_accounts_move_with_their_ids_and_once(tmp_path: Path, postgresql: PostgreSQL) -> None:
    fill(tmp_path)
    url = postgresql.url(postgresql.create())
    done = run(tmp_path, url)
    assert done.exit_code == 0, done.output
    assert "users: 1" in done.output
    settings = Settings.read(tmp_path, {"FLASK_PERFORMANCE_DATABASE_URL": url})
    app = Flask(__name__)
    accounts.init_app(app, settings)
    with app.app_context():
        [shop] = db.session.scalars(select(Project))
        assert (shop.id, shop.name, shop.team.name) == (2, "shop", "Lovelace")
        db.session.add(Project(team_id=shop.team_id, name="next"))
        db.session.commit()
        assert {one.id for one in db.session.scalars(select(Project))} == {2, 3}
        db.session.remove()
        db.engine.dispose()
    again = run(tmp_path, url)
    assert again.exit_code == 1
    assert "of its own" in again.output


def test_it_needs_accounts_and_somewhere_to_go(tmp_path: Path) -> None:
    assert "DATABASE_URL" in run(tmp_path).output
    refused = run(tmp_path, "postgresql+psycopg://me@127.0.0.1:1/none")
    assert "holds no accounts" in refused.output
