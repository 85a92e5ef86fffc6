"""The accounts' file: made, upgraded, shared between processes, refused when it is not ours."""

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import URL, Engine, inspect, make_url

from flask_performance.server.accounts import database
from flask_performance.server.accounts.models import Base, db
from flask_performance.server.settings import SettingsError
from tests.support.postgresql import PostgreSQL

from .support import EMAIL, Browser, make_app

OPEN = (
    "import sys; from pathlib import Path; from tests.server.accounts.support import make_app; "
    "make_app(Path(sys.argv[1])); print('alembic.command' in sys.modules)"
)


def columns(engine: Engine) -> dict[str, list[str]]:
    """Every table and index as the database describes it, without the order of its parts."""
    if engine.dialect.name == "postgresql":
        return _reflected(engine)
    with engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).all()
        questions = ("table_xinfo", "index_list", "foreign_key_list", "index_info")
        return {
            name: sorted(
                f"{question} {row[1:]}"  # without its place, which an index made later has not
                for question in questions
                for row in connection.exec_driver_sql(f"PRAGMA {question}({name})")
            )
            for _kind, name in names
        }


def _reflected(engine: Engine) -> dict[str, list[str]]:
    seen = inspect(engine)
    questions = (seen.get_columns, seen.get_indexes, seen.get_foreign_keys,
                 seen.get_unique_constraints)  # fmt: skip
    return {
        name: sorted(
            [f"{part}" for ask in questions for part in ask(name)]
            + [f"{seen.get_pk_constraint(name)}"]
        )
        for name in seen.get_table_names()
    }


@pytest.fixture
def empty(home: str, tmp_path: Path, postgresql: PostgreSQL) -> Iterator[URL]:
    """The address of a database without anything."""
    if home == "sqlite":
        yield URL.create("sqlite", database=str(tmp_path / "migrated"))
        return
    name = postgresql.create()
    yield make_url(postgresql.url(name))
    postgresql.drop(name)


def test_the_migrations_make_the_tables_of_the_models(app: Flask, empty: URL) -> None:
    engine = database.migration_engine(empty)
    database.run_migrations(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == database.revisions()[-1]
    with app.app_context():
        assert columns(db.engine) == columns(engine)
    engine.dispose()


def test_an_older_database_is_migrated_and_keeps_its_rows(
    data: Path, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    Browser(app).sign_up()
    last = database.revisions()[-1]
    next_version = one_more_revision(
        data, "op.add_column('teams', sa.Column('motto', sa.String(9)))"
    )
    monkeypatch.setattr(database, "MIGRATIONS", next_version)
    upgraded = make_app(data)
    with upgraded.app_context():
        assert "motto" in {column["name"] for column in inspect(db.engine).get_columns("teams")}
    browser = Browser(upgraded)
    browser.log_in()
    assert browser.logged_in_as() == EMAIL
    monkeypatch.undo()
    with pytest.raises(SettingsError, match=f"revision 9000, this version knows up to {last}"):
        make_app(data)


@pytest.mark.embedded
def test_the_file_is_in_wal_mode_and_for_its_owner_alone(data: Path, app: Flask) -> None:
    file = data / "accounts.sqlite3"
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert file.stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.mark.embedded
@pytest.mark.slow
def test_processes_that_start_at_once_migrate_once(data: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(data)], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    make_app(data)


@pytest.mark.embedded
@pytest.mark.slow
def test_a_start_without_migrations_imports_no_alembic(data: Path) -> None:
    command = [sys.executable, "-c", OPEN, str(data)]
    answers = [
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        for _ in range(2)
    ]
    assert answers == ["False\n", "False\n"]


@pytest.mark.embedded
def test_a_newer_database_is_refused_and_not_touched(data: Path, app: Flask) -> None:
    file = data / "accounts.sqlite3"
    with app.app_context():
        db.engine.dispose()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(SettingsError, match=r"was written by a newer version.*revision 9999"):
        make_app(data)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


@pytest.mark.embedded
def test_another_file_is_refused_and_not_touched(data: Path) -> None:
    data.mkdir()
    file = data / "accounts.sqlite3"
    file.write_text("The quick brown fox jumps over the lazy dog. " * 50)
    before = file.read_bytes()
    with pytest.raises(SettingsError, match=r"cannot be used \(file is not a database\)"):
        make_app(data)
    assert file.read_bytes() == before


@pytest.mark.embedded
@pytest.mark.parametrize("place", ["file/data", "/proc/data"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingsError, match="check that the folder given with --data is writable"):
        make_app(tmp_path / place)


def test_a_migration_that_fails_leaves_nothing_half_done(
    data: Path, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        before = columns(db.engine)
    broken = one_more_revision(data, "op.execute('CREATE TABLE half (id INTEGER)'); 1 / 0")
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    with pytest.raises(ZeroDivisionError):
        make_app(data)
    with app.app_context():
        assert columns(db.engine) == before


def one_more_revision(data: Path, statements: str) -> Path:
    """A folder with the real migrations and a later one."""
    folder = data.with_name("migrations")
    for source in database.MIGRATIONS.rglob("*.py"):
        copy = folder / source.relative_to(database.MIGRATIONS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text())
    (folder / "versions" / "9000_later.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '9000'\ndown_revision = {database.revisions()[-1]!r}\n"
        f"def upgrade() -> None:\n    {statements}\n"
    )
    return folder
