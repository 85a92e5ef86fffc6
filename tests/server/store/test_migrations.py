"""A data file of an older version becomes one of this version, with all that is in it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from flask_performance.server.settings import SettingsError
from flask_performance.server.store import duckdb_file, migrations
from flask_performance.server.store.base import EventStore, Filter
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.store.migrations import Migration

from .builders import NOON_US, block
from .model import HOUR_US

RECORDED = Path(__file__).parent / "recorded"
SCHEMAS = sorted(int(file.stem.removeprefix("schema_")) for file in RECORDED.glob("schema_*.sql"))
ANSWERS = json.loads((RECORDED / "schema_1.json").read_text())


def old_file(folder: Path, schema: int = 1) -> Path:
    """A file as a version of this schema wrote it."""
    file = folder / "events.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute((RECORDED / f"schema_{schema}.sql").read_text())
    return file


def shape(file: Path) -> list[Any]:
    """All tables with their columns, in order."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            "select table_name, column_name, data_type, is_nullable from duckdb_columns() "
            "where not internal order by table_name, column_index"
        ).fetchall()


def answers(store: EventStore, project_id: int) -> dict[str, Any]:
    """What was asked of the recorded file by the version that wrote it."""
    filter = Filter(
        project_id=project_id, start_us=NOON_US - 48 * HOUR_US, end_us=NOON_US + 48 * HOUR_US
    )
    answers = {
        "summary": store.summary(filter),
        "operations": store.operations(filter),
        "ledger": store.ledger(filter),
        "requests": store.requests(filter, 1000).rows,
        "series": [point for point in store.series(filter, HOUR_US) if point.requests],
        "releases": store.releases(project_id),
        "environments": store.environments(project_id),
        "last_seen_us": store.last_seen_us(project_id),
    }
    return {name: msgspec.to_builtins(answer) for name, answer in answers.items()}


def holds(expected: Any, found: Any) -> bool:
    """Whether an answer has all that was recorded; later versions may say more."""
    if isinstance(expected, dict):
        return all(name in found and holds(expected[name], found[name]) for name in expected)
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(holds, expected, found))
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, rel=0.01))
    return bool(expected == found)


def test_a_fresh_file_and_an_upgraded_one_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old, fresh = old_file(tmp_path / "old"), tmp_path / "events.duckdb"
    for file in (old, fresh):
        DuckDBStore(file).close()
    assert shape(old) == shape(fresh)


def test_the_newest_schema_is_recorded() -> None:
    """So that the next one is tried on what this one wrote. A recording is never changed."""
    assert SCHEMAS[-1] == migrations.SCHEMA


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_upgraded_file_has_every_request_rollup_and_count(tmp_path: Path, schema: int) -> None:
    recorded = json.loads((RECORDED / f"schema_{schema}.json").read_text())
    file = old_file(tmp_path, schema)
    for _ in range(2):  # the second time there is nothing left to do
        assert_answers(file, recorded)


def assert_answers(file: Path, recorded: dict[str, Any]) -> None:
    store = DuckDBStore(file)
    assert store.position() == recorded["position"]
    for project_id in (1, 2):
        found = answers(store, project_id)
        for name, expected in recorded[str(project_id)].items():
            assert holds(expected, found[name]), (name, expected, found[name])
    store.close()


#: A process that is killed before a step of the way to the newest schema.
KILLED = """
import os, sys
from pathlib import Path
from flask_performance.server.store import duckdb_file
from flask_performance.server.store.duckdb import DuckDBStore

steps = duckdb_file.migrations()

def until_killed():
    yield from steps[:int(sys.argv[2])]
    os._exit(9)

duckdb_file.migrations = until_killed
DuckDBStore(Path(sys.argv[1]))
"""


def test_a_start_that_is_killed_on_the_way_is_gone_on_with(tmp_path: Path) -> None:
    file = old_file(tmp_path)
    killed = [sys.executable, "-c", KILLED, str(file), "2"]
    assert subprocess.run(killed, check=False).returncode == 9
    with duckdb.connect(str(file), read_only=True) as connection:
        found = connection.execute("select value from meta where name = 'schema'").fetchone()
    assert found == (3,), "a step is whole, or was never taken"
    assert_answers(file, ANSWERS)


def test_an_upgraded_file_knows_when_releases_were_first_heard(tmp_path: Path) -> None:
    file = old_file(tmp_path)
    with duckdb.connect(str(file)) as connection:
        connection.execute("update instance set release = 'r' || id")
    store = DuckDBStore(file)
    ever = Filter(project_id=1, start_us=1, end_us=NOON_US * 2)
    heard = store.first_heard(ever, 10)
    assert {one.name for one in heard} == set(store.releases(1)) != set()
    assert max(one.first_us for one in heard) <= ANSWERS["1"]["last_seen_us"]
    assert min(one.first_us for one in heard) > NOON_US - 48 * HOUR_US
    store.close()


def test_an_upgraded_file_goes_on(tmp_path: Path) -> None:
    store = DuckDBStore(old_file(tmp_path))
    before = store.last_called(1)
    newest: dict[tuple[str, str], int] = {}
    for row in ANSWERS["1"]["requests"]:
        key = (row["method"], row["route"])
        newest[key] = max(newest.get(key, 0), row["start_us"])
    assert set(before) == set(newest)
    # Rollups know the minute.
    assert all(abs(before[key] - newest[key]) < 60_000_000 for key in newest)
    late = block([{"start_us": NOON_US + HOUR_US}], wire_id="new")
    store.append(late, store.position() + 1)
    store.roll()
    assert store.last_called(1)["GET", "/"] == NOON_US + HOUR_US
    store.close()


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = old_file(tmp_path)
    before = shape(file)
    broken = [Migration(2, "create table half (a integer); select * from nowhere;")]
    monkeypatch.setattr(duckdb_file, "migrations", lambda: broken)
    with pytest.raises(SettingsError, match="nowhere"):
        DuckDBStore(file)
    assert shape(file) == before
    monkeypatch.undo()
    DuckDBStore(file).close()
    assert shape(file) != before


@pytest.mark.parametrize("name", ["0003_gap", "0002-words", "2_words"])
def test_a_migration_is_called_by_its_number(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}.sql").touch()
    monkeypatch.setattr(migrations, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="0002_words"):
        migrations.migrations()
