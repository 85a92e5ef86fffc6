"""The key ring: quick, bounded, and never older than a second."""

import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event

from flask_performance.server.accounts import (
    KeyRing,
    KeysUnavailableError,
    keys,
    open_keys,
    project_keys,
    projects,
    teams,
)
from flask_performance.server.accounts.database import open_engine
from flask_performance.server.accounts.models import Key, Project, db
from flask_performance.server.settings import Settings
from tests.support.platform import run_command
from tests.support.waiting import wait_for


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CountedRing(KeyRing):
    """A ring that counts what it asks the database."""

    def __init__(self, data: Path, clock: Clock) -> None:
        engine = open_engine(Settings(data=data))
        super().__init__(engine, clock)
        self.queries = 0
        event.listen(engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.queries += 1


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def project() -> Project:
    return projects.create_project(teams.create_team(None, "Default"), "Shop")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(data: Path, clock: Clock) -> Iterator[CountedRing]:
    ring = CountedRing(data, clock)
    yield ring
    ring.close()


def found(ring: KeyRing, key: str) -> int | None:
    """The project that a key opens."""
    known = ring.find(key)
    return None if known is None or known.revoked else known.project_id


def key_of(project: Project) -> str:
    assert project.key is not None
    return project.key


def test_a_known_key_is_asked_once_in_its_life(
    ring: CountedRing, clock: Clock, project: Project
) -> None:
    for _ in range(1000):
        assert found(ring, key_of(project)) == project.id
    assert ring.queries == 1
    clock.now += keys.LIFE
    assert found(ring, key_of(project)) == project.id
    assert ring.queries == 2


def test_an_unknown_key_is_asked_once_in_its_life(ring: CountedRing, clock: Clock) -> None:
    for _ in range(1000):
        assert ring.find("0" * 32) is None
    assert ring.queries == 1
    clock.now += keys.LIFE
    assert ring.find("0" * 32) is None
    assert ring.queries == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "G" * 32,
        "0" * 33,
        "A" * 32,
        "\N{ARABIC-INDIC DIGIT ZERO}" * 32,
        "0" * 31 + "\n",
        "'; drop --",
    ],
)
def test_what_is_no_key_is_not_asked_at_all(ring: CountedRing, text: str) -> None:
    assert ring.find(text) is None
    assert ring.queries == 0


def test_invented_keys_fill_no_memory_and_push_out_no_real_one(
    ring: CountedRing, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "CAPACITY", 100)
    ring.find(key_of(project))
    for _ in range(1000):
        ring.find(secrets.token_hex(16))
    assert len(ring._unknown) <= 100
    asked = ring.queries
    assert found(ring, key_of(project)) == project.id
    assert ring.queries == asked


def test_a_revoked_key_stops_within_a_second(data: Path, project: Project) -> None:
    ring = open_keys(Settings(data=data))
    second = Key(project=project)
    db.session.add(second)
    db.session.commit()
    first = project.keys[0]
    assert found(ring, first.key) == project.id
    project_keys.revoke_key(first)
    began = time.monotonic()
    wait_for(lambda: found(ring, first.key) is None, 1.0, "the key to stop", every=0.01)
    assert time.monotonic() - began < 1.0
    assert found(ring, second.key) == project.id
    assert project.key == second.key
    ring.close()


def test_a_deleted_projects_key_stops(ring: CountedRing, clock: Clock, project: Project) -> None:
    key = key_of(project)
    assert ring.find(key) is not None
    db.session.delete(project)
    db.session.commit()
    clock.now += keys.LIFE
    assert ring.find(key) is None


@pytest.mark.embedded
@pytest.mark.slow
def test_a_key_made_by_another_process_works_at_once(ring: CountedRing, data: Path) -> None:
    ring.find("0" * 32)
    dsn = run_command(data, "project", "create", "Elsewhere").stdout.strip()
    assert ring.find(dsn.rpartition("/")[2]) is not None


def test_threads_may_ask_at_once(data: Path, project: Project) -> None:
    ring = open_keys(Settings(data=data))
    key, answers = key_of(project), []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        for _ in range(200):
            answers.append(found(ring, key))
            ring.find(secrets.token_hex(16))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [project.id] * 1600
    ring.close()


@pytest.mark.embedded
def test_while_the_database_cannot_be_read_the_last_answer_holds(
    data: Path, project: Project, ring: CountedRing, clock: Clock
) -> None:
    key = project.keys[0].key
    assert found(ring, key) == project.id
    with db.engine.connect() as connection:
        connection.exec_driver_sql("alter table keys rename to gone")
        connection.commit()
    clock.now += 60
    assert found(ring, key) == project.id
    with pytest.raises(KeysUnavailableError):
        ring.find(secrets.token_hex(16))


def test_a_revoked_key_says_whose_it_was(data: Path, ring: CountedRing, project: Project) -> None:
    project_keys.revoke_key(project.keys[0])
    known = ring.find(project.keys[0].key)
    assert known is not None
    assert (known.project_id, known.revoked) == (project.id, True)


def test_a_new_quota_is_known_within_a_second(
    ring: CountedRing, clock: Clock, project: Project
) -> None:
    known = ring.find(key_of(project))
    assert known is not None
    assert (known.quota_minute, known.quota_month) == (None, None)
    project.quota_minute, project.quota_month = 10, 1000
    db.session.commit()
    clock.now += keys.LIFE
    known = ring.find(key_of(project))
    assert known is not None
    assert (known.quota_minute, known.quota_month) == (10, 1000)
