"""Accounts in PostgreSQL: people stay logged in and apps are heard while it restarts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browserless import Session, log_in
from tests.support.load import BatchClient
from tests.support.platform import EMAIL, PASSWORD, Platform
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    with running_postgresql(durable=True) as server:
        yield server


@pytest.fixture
def platform(server: PostgreSQL, tmp_path: Path) -> Iterator[Platform]:
    url = server.url(server.create())
    platform = Platform(tmp_path / "data", FLASK_PERFORMANCE_DATABASE_URL=url)
    try:
        yield platform.start()
    finally:
        platform.end()


def test_a_restart_while_people_are_logged_in(platform: Platform, server: PostgreSQL) -> None:
    project = platform.project()
    page = f"{platform.url}/projects/{project.id}"
    session = Session()
    log_in(f"{platform.url}/projects", EMAIL, PASSWORD, session)
    assert session.open(page)[1].status == 200
    with BatchClient(project.dsn) as client:
        wait_for(lambda: client.acknowledged, 20, "a first batch")
        server.stop()
        address, answer = session.open(page)
        assert (address, answer.status) == (page, 503)
        assert "database does not answer" in answer.body.decode()
        before = len(client.acknowledged)
        wait_for(lambda: len(client.acknowledged) > before, 20, "a batch without PostgreSQL")
        server.start()
        wait_for(lambda: session.open(page)[1].status == 200, 20, "the page to come back")
        assert session.open(page)[0] == page  # and not the log-in
    stored = project.wait_for_requests(len(client.acknowledged))
    paths = [request["path"] for request in stored]
    assert len(paths) == len(set(paths))
    assert set(client.acknowledged) <= set(paths)
    assert client.failure is None
    assert not (platform.data / "accounts.sqlite3").exists()


def test_a_server_that_is_away_is_named_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://ada:hunter2@127.0.0.1:1/metrics"
    platform = Platform(tmp_path / "data", FLASK_PERFORMANCE_DATABASE_URL=url)
    try:
        process = platform.spawn().process
        assert process is not None
        assert process.wait(30) == 1
    finally:
        platform.end()
    said = platform.log.read_text()
    assert "The accounts database metrics at 127.0.0.1 cannot be used" in said
    assert "check FLASK_PERFORMANCE_DATABASE_URL and that server" in said
    assert "hunter2" not in said
