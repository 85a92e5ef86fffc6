"""Accounts that older versions wrote are opened by this one, with everything that was in them.

`recorded/<revision>.sql` is what SQLite's `.dump` said of a database of that revision; passwords
need the secret key beside it. A version that is released with a new revision gets a recording of
its own; none is ever changed.
"""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flask_performance.server.accounts import database, open_keys, projects, teams, users
from flask_performance.server.settings import Settings

from .support import EMAIL, Browser, make_app

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.sql"))
#: A key of the recorded project.
KEY = "d6e007a6dcbbec7066e9e9d1cf17d9ef"

Rows = dict[str, list[dict[str, Any]]]


def rows(file: Path) -> Rows:
    """Every table's rows."""
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [
            name
            for (name,) in connection.execute("select name from sqlite_master where type = 'table'")
            if name != "alembic_version"
        ]
        return {
            table: [dict(row) for row in connection.execute(f"select * from {table}")]
            for table in tables
        }


@pytest.mark.embedded
@pytest.mark.parametrize("recorded", RECORDED, ids=lambda file: file.stem)
def test_recorded_accounts_are_migrated_with_all_they_hold(data: Path, recorded: Path) -> None:
    data.mkdir()
    file = data / "accounts.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(recorded.read_text(encoding="utf-8"))
        assert connection.execute("select * from alembic_version").fetchone() == (recorded.stem,)
    secret_key = data / "secret_key"
    secret_key.write_bytes(recorded.with_suffix(".secret_key").read_bytes())
    secret_key.chmod(0o600)
    before = rows(file)
    assert all(before.values()), "a table without a row proves nothing"
    app = make_app(data)
    with closing(sqlite3.connect(file)) as connection:
        newest = connection.execute("select version_num from alembic_version").fetchone()
        assert newest == (database.revisions()[-1],)
        assert connection.execute("pragma foreign_key_check").fetchall() == []
    after = rows(file)
    for table, expected in before.items():
        found = [{name: row[name] for name in expected[0]} for row in after[table]]
        assert found == expected, table
    browser = Browser(app)
    browser.log_in()
    assert browser.logged_in_as() == EMAIL
    with app.app_context():
        user = users.user_by_email(EMAIL)
        assert user is not None
        assert [team.name for team in teams.teams_of(user)] == ["Web team"]
        assert [project.name for project in projects.projects_of(user)] == ["Shop"]
    with closing(open_keys(Settings(data=data))) as keys:
        known = keys.find(KEY)
        assert known is not None
        assert known.project_id == 1


def test_the_first_revision_and_the_newest_are_recorded() -> None:
    known = database.revisions()
    assert (RECORDED[0].stem, RECORDED[-1].stem) == (known[0], known[-1])


#: A process that is killed while it migrates, before a statement that changes a table.
KILLED = """
import os, sys
from pathlib import Path
from sqlalchemy import URL, event
from flask_performance.server.accounts.database import migration_engine, run_migrations

engine = migration_engine(URL.create("sqlite", database=sys.argv[1]))
left = int(sys.argv[2])

@event.listens_for(engine, "before_cursor_execute")
def count(connection, cursor, statement, parameters, context, many):
    global left
    left -= statement.lstrip().upper().startswith(("CREATE", "ALTER", "DROP", "UPDATE"))
    if left < 0:
        os._exit(9)

run_migrations(engine)
"""


@pytest.mark.embedded
def test_a_start_that_is_killed_on_the_way_is_gone_on_with(data: Path) -> None:
    data.mkdir()
    file = data / "accounts.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(RECORDED[0].read_text(encoding="utf-8"))
    before = rows(file)
    killed = [sys.executable, "-c", KILLED, str(file), "4"]
    assert subprocess.run(killed, check=False).returncode == 9
    assert rows(file) == before, "all or nothing"
    make_app(data)
    after = rows(file)
    assert all(len(after[table]) == len(before[table]) for table in before)
