"""The joined platform from outside: ready when it says so, and what waits survives its end."""

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from flask_performance.server.app import _address
from flask_performance.server.app import platform as platform_of
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings, SettingsError
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.batches import batch, zipped
from tests.server.store.builders import block
from tests.support.http import fetch
from tests.support.platform import Platform, Project
from tests.support.waiting import wait_for


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("fe80::1", "http://[fe80::1]:8000"),
        ("metrics.example.com", "http://metrics.example.com:8000"),
    ],
)
def test_the_address_for_this_machine(host: str, address: str) -> None:
    assert _address(host, 8000) == address


@pytest.mark.slow
def test_health_says_ready_when_everything_is(platform: Platform) -> None:
    answer = fetch(f"{platform.url}/health")
    assert (answer.status, answer.json()["status"]) == (200, "ok")
    assert fetch(f"{platform.url}/health", "POST").status == 405
    refused = fetch(f"{platform.url}/v1/collector/nobody", "POST", b"{}")
    assert (refused.status, refused.headers["content-type"]) == (401, "application/json")


def _fill(journal_file: Path, project_id: int, batches: int, requests: int) -> None:
    """Put batches into the journal of a platform that does not run."""

    async def put(journal: Journal) -> None:
        for number in range(1, batches + 1):
            document = zipped(batch(number, requests=requests))
            await journal.put(Envelope(project_id, time.time_ns() // 1000, True, document))

    journal = Journal(journal_file)
    asyncio.run(put(journal))
    journal.close()


@pytest.mark.slow
def test_sigterm_with_a_full_journal_ends_in_time_and_the_rest_waits(
    platform: Platform, project: Project
) -> None:
    """A million requests wait, more than a drain can store on a busy machine."""
    assert platform.stop() == 0
    _fill(platform.data / "journal.sqlite3", project_id=1, batches=100, requests=10_000)
    platform.start()
    began = time.monotonic()
    assert platform.stop() == 0
    assert time.monotonic() - began < 10
    platform.start()

    def stored() -> int:
        return int(project.get("ledger")["stored"])

    wait_for(lambda: stored() >= 1_000_000, 60, "all requests that waited", every=0.5)
    assert stored() == 1_000_000
    assert project.get("ledger")["lost"] == 0


def test_accounts_and_a_store_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    """The history of the one is not what deleted projects of the other left."""
    settings = Settings(data=tmp_path)
    with contextlib.closing(DuckDBStore(settings.events)) as store:
        store.append(block([{}], project_id=3), 1)
    with pytest.raises(SettingsError, match="never had"), platform_of(settings):
        pass
    with contextlib.closing(sqlite3.connect(settings.accounts_database)) as accounts, accounts:
        accounts.execute("insert into sqlite_sequence values ('projects', 3)")
    with platform_of(settings):  # the project was there, and was deleted
        pass
    with contextlib.closing(DuckDBStore(settings.events)) as store:
        assert store.project_ids() == {3}, "timed work does that, in its time"


@pytest.mark.slow
def test_what_waits_for_a_deleted_project_is_thrown_away(
    platform: Platform, project: Project
) -> None:
    assert platform.stop() == 0
    _fill(platform.data / "journal.sqlite3", project_id=4711, batches=1, requests=3)
    _fill(platform.data / "journal.sqlite3", project_id=1, batches=1, requests=2)
    platform.start()
    wait_for(lambda: project.get("ledger")["stored"] == 2, 20, "the other project's requests")
    assert platform.stop() == 0
    with contextlib.closing(DuckDBStore(platform.data / "events.duckdb")) as store:
        assert store.last_seen_us(1) is not None
        assert store.last_seen_us(4711) is None
