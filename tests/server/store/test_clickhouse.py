"""The event store on a ClickHouse server: the contract, and what only a server can get wrong."""

import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from flask_performance.server.app import platform
from flask_performance.server.settings import Settings, SettingsError
from flask_performance.server.store.base import (
    DAY_US,
    EventStore,
    Filter,
    Retention,
    StoreUnavailableError,
)
from flask_performance.server.store.block import Block
from flask_performance.server.store.clickhouse import ClickHouseStore, attempts
from flask_performance.server.store.clickhouse.address import Address
from flask_performance.server.store.clickhouse.engine import Engine
from flask_performance.server.store.clickhouse.layout import Layout
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.store.open import open_store
from tests.support.clickhouse import ClickHouseServer, clickhouse_server
from tests.support.waiting import free_port

from .builders import NOON_US, block
from .contract import DAY, at_stages
from .dying import Dying
from .every_contract import EveryContract
from .model import MINUTE_US


@pytest.fixture(scope="module", autouse=True)
def _server_of_the_contract(server: ClickHouseServer) -> None:
    TestClickHouse.server = server


@pytest.mark.slow
class TestClickHouse(EveryContract):
    """The contract of every home. (Upkeep has fewer stages here.)"""

    world_and_store = at_stages("fresh", "half rolled", "reopened")

    server: ClassVar[ClickHouseServer]

    @classmethod
    def open(cls, folder: Path) -> EventStore:
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        return ClickHouseStore.open(cls.server.url(f"t_{name}"))


@pytest.fixture
def url(server: ClickHouseServer) -> str:
    return server.url(f"u_{uuid4().hex}")


@pytest.fixture
def store(url: str) -> Iterator[ClickHouseStore]:
    with contextlib.closing(ClickHouseStore.open(url)) as store:
        yield store


def identified(made: Block, id: str) -> Block:
    return dataclasses.replace(made, id=id)


def some(number: int = 1, count: int = 20, id: str = "") -> Block:
    """A batch with requests of the 2019 client beside it, which have no number."""
    made = block(
        [{"start_us": NOON_US - place * MINUTE_US} for place in range(count)],
        number=number, sent_total=number * count, dropped_totals={"ignored": number},
    )  # fmt: skip
    return identified(made, id)


def dying(url: str, changes: int, *, behind: bool = False) -> ClickHouseStore:
    layout = Layout.of(Address.of(url))
    engine = Dying(layout.engine, changes, behind=behind)
    return ClickHouseStore(Layout(engine, [engine]))


def until_it_lives(url: str, work: Callable[[ClickHouseStore], None]) -> Iterator[int]:
    """Do it in processes that die one change later each time; how often that was."""
    for behind in (False, True):
        for changes in range(100):
            with contextlib.closing(dying(url, changes, behind=behind)) as store:
                try:
                    work(store)
                except KeyboardInterrupt:
                    yield changes
                else:
                    break


def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not ended is dead at once."""
    monkeypatch.setattr(attempts, "DEAD", -1)


# -- stored once ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_block_that_comes_again_is_stored_once(store: ClickHouseStore, url: str) -> None:
    for _ in range(3):
        store.append(some(id="a" * 32))
    with contextlib.closing(ClickHouseStore.open(url)) as other:
        other.append(some(id="a" * 32))
        other.append(some(number=2, id="b" * 32))
    assert store.summary(DAY).requests == 40
    assert (store.ledger(DAY).stored, store.ledger(DAY).dropped) == (40, {"ignored": 2})


@pytest.mark.slow
def test_a_block_whose_workers_die_anywhere_is_stored_once(
    store: ClickHouseStore, url: str
) -> None:
    """Killed before each thing that it writes, and behind it, it comes again until it is stored."""
    deaths = 0
    for changes in until_it_lives(url, lambda one: one.append(some(id="a" * 32))):
        deaths += 1
        assert store.summary(DAY).requests in (0, 20), changes
    assert deaths >= 10
    store.append(some(number=2, id="b" * 32))
    for _ in range(2):
        assert store.summary(DAY).requests == 40
        assert len(store.requests(DAY, 100).rows) == 40
        ledger = store.ledger(DAY)
        assert (ledger.stored, ledger.lost, ledger.dropped) == (40, 0, {"ignored": 2})
        store.roll()


@pytest.mark.slow
def test_what_dead_workers_left_does_not_count_and_goes(
    store: ClickHouseStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(some())
    for changes in range(3, 9):
        with (
            contextlib.closing(dying(url, changes)) as worker,
            contextlib.suppress(KeyboardInterrupt),
        ):
            worker.append(some(number=2, id=f"{changes}" * 32))
    monkeypatch.setattr(attempts, "HANGING", -1)
    assert store.summary(DAY).requests == len(store.requests(DAY, 100).rows)
    aged(monkeypatch)
    store.maintain(0)
    left = store.rows()["raw"]
    assert left == store.summary(DAY).requests == store.ledger(DAY).stored


@pytest.mark.slow
def test_rolling_up_that_dies_anywhere_counts_once(
    store: ClickHouseStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aged(monkeypatch)
    store.append(some(count=200))
    for changes in until_it_lives(url, lambda one: one.roll()):
        assert store.summary(DAY).requests == 200, changes
        assert sum(one.requests for one in store.operations(DAY)) == 200
    store.append(some(number=2))
    store.roll()
    assert store.summary(DAY).requests == 220
    assert store.rows()["minutes"] == 220


@pytest.mark.slow
def test_workers_store_different_blocks_at_once(store: ClickHouseStore, url: str) -> None:
    def work(worker: int) -> None:
        with contextlib.closing(ClickHouseStore.open(url)) as mine:
            for turn in range(6):
                rows: list[dict[str, object]] = [{"start_us": NOON_US - worker * MINUTE_US}] * 10
                made = block(rows, wire_id=f"{worker}", number=turn + 1, sent_total=10 * turn + 10)
                mine.append(identified(made, f"{worker}-{turn}"))
                mine.roll()

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work, worker) for worker in range(4)]
        seen = []
        while not all(one.done() for one in done):
            seen.append(store.summary(DAY).requests)
        for one in done:
            one.result()
    assert seen == sorted(seen)
    assert {total % 10 for total in seen} == {0}
    for _ in range(2):
        assert store.summary(DAY).requests == 240
        assert store.ledger(DAY).stored == 240
        store.roll()


class Watched(Dying):
    """An engine that tells of each row of `commit` before it is written."""

    def __init__(self, engine: Engine, tell: Callable[[Mapping[str, list[Any]]], None]) -> None:
        super().__init__(engine, 1_000, behind=False)
        self._tell = tell

    def insert(self, table: str, columns: Mapping[str, list[Any]]) -> None:
        if table == "commit":
            self._tell(columns)
        super().insert(table, columns)


@contextlib.contextmanager
def watched(url: str, tell: Callable[[Mapping[str, list[Any]]], None]) -> Iterator[ClickHouseStore]:
    engine = Watched(Layout.of(Address.of(url)).engine, tell)
    with contextlib.closing(ClickHouseStore(Layout(engine, [engine]))) as store:
        yield store


def died_committing(url: str) -> Mapping[str, list[Any]]:
    """A worker dies when all of a block is written but the row that makes it count: this row."""
    rows: list[Mapping[str, list[Any]]] = []

    def die(row: Mapping[str, list[Any]]) -> None:
        rows.append(row)
        raise KeyboardInterrupt

    with watched(url, die) as worker, contextlib.suppress(KeyboardInterrupt):
        worker.append(some(id="a" * 32))
    return rows[0]


def assert_stored_once(store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> None:
        assert store.summary(DAY).requests == len(store.requests(DAY, 100).rows) == 20
        assert store.ledger(DAY).stored == 20

    look()
    store.roll()
    look()
    aged(monkeypatch)
    store.maintain(0)
    look()
    assert store.rows()["raw"] == 20


@pytest.mark.slow
def test_a_commit_that_arrives_when_its_block_is_stored_anew_does_not_count(
    store: ClickHouseStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = died_committing(url)
    store.append(some(id="a" * 32))
    store._engine.insert("commit", late)
    assert_stored_once(store, monkeypatch)


@pytest.mark.slow
def test_a_commit_that_arrives_while_its_block_comes_again_counts(
    store: ClickHouseStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = [died_committing(url)]

    def arrive(row: Mapping[str, list[Any]]) -> None:
        if waiting:
            store._engine.insert("commit", waiting.pop())

    with watched(url, arrive) as worker:
        worker.append(some(id="a" * 32))
    assert not waiting
    assert_stored_once(store, monkeypatch)


@pytest.mark.slow
def test_a_batch_of_which_nothing_counts_is_not_known(store: ClickHouseStore, url: str) -> None:
    """Else the block that it comes with again would be stored without it."""
    died_committing(url)
    assert not store.has_batch(1, "a" * 32, 1)
    store.append(some(id="a" * 32))
    assert store.has_batch(1, "a" * 32, 1)


# -- what is kept --------------------------------------------------------------------------------


@pytest.mark.slow
def test_days_that_are_too_old_as_a_whole_are_dropped(store: ClickHouseStore, url: str) -> None:
    """Nothing is deleted row by row, but where a project keeps the rest of the day."""
    kept = {1: Retention(raw_days=2, minutes_days=5, hours_days=9)}
    kept[2] = Retention(raw_days=4, minutes_days=9, hours_days=9)
    # Partitions are days of storing, and looked at when they may be too old.
    began_us = time.time_ns() // 1000 - 10 * MINUTE_US
    lately = Filter(project_id=1, start_us=began_us - DAY_US, end_us=began_us + DAY_US)
    asked = "select count() from system.mutations where database = currentDatabase()"
    with contextlib.closing(Layout.of(Address.of(url))) as layout:

        def mutations() -> int:
            return int(layout.engine.ask(asked)[1][0][0])

        began: list[dict[str, object]] = [
            {"start_us": began_us + place * MINUTE_US} for place in range(9)
        ]
        store.append(block(began, received_us=began_us))
        store.roll()
        store.forget(began_us + 2 * DAY_US + 5 * MINUTE_US, kept)
        assert (mutations(), len(store.requests(lately, 10).rows)) == (0, 9), "the day is not over"
        store.forget(began_us + 2 * DAY_US + 9 * MINUTE_US, kept)
        assert (mutations(), len(store.requests(lately, 10).rows)) == (0, 0)
        assert store.summary(lately).requests == 9
        store.append(block(began[:1], received_us=began_us, number=2, sent_total=10))
        store.append(block(began[:1], received_us=began_us, project_id=2))
        store.roll()
        store.forget(began_us + 2 * DAY_US + 9 * MINUTE_US, kept)
        assert mutations() == 1, "the other project has two days left"
        assert store.rows()["raw"] == 1


# -- a server that is away -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_server_that_was_killed_has_everything_again(tmp_path: Path) -> None:
    with clickhouse_server(tmp_path / "own") as server:
        store = ClickHouseStore.open(server.url("own"))
        store.append(some(id="a" * 32))
        server.kill()
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            store.append(some(number=2, id="b" * 32))
        with pytest.raises(StoreUnavailableError):
            store.summary(DAY)
        server.start()
        store.append(some(number=2, id="b" * 32))
        assert store.summary(DAY).requests == 40
        store.close()


# -- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/db", "clickhouse://", "clickhouse:///db", "clickhouse://host/a-b",
        "clickhouse://u:secret@host/db?cluster=", "clickhouse://u:secret@host:port/db",
        "clickhouse://u:secret@host/db?clusters=a", "clickhouse://u:secret@host/db?quorum=none",
        "clickhouse://u:secret@host,,b/db", "clickhouse://u:secret@ho st/db",
    ],
)  # fmt: skip
def test_a_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"must be like clickhouse://") as refused:
        Address.of(url)
    assert "secret" not in str(refused.value)


def test_a_url_says_where_the_store_is() -> None:
    address = Address.of("clickhouse://me:p%40ss%2F@one,two:9001,[::1]:9/events?cluster=c&quorum=2")
    assert address.hosts == (("one", 9000), ("two", 9001), ("::1", 9))
    assert (address.user, address.password, address.database) == ("me", "p@ss/", "events")
    assert (address.cluster, address.quorum, address.tls) == ("c", 2, False)
    assert "p@ss" not in f"{address!r} {address}"
    assert Address.of("clickhouses://one").hosts == (("one", 9440),)


@pytest.mark.slow
def test_a_password_is_told_to_nobody(server: ClickHouseServer) -> None:
    port = server.port
    right = f"clickhouse://app:se%20cret%40@127.0.0.1:{port}/with_password"
    with contextlib.closing(ClickHouseStore.open(right)) as store:
        store.append(some())
        assert store.summary(DAY).requests == 20
    wrong = f"clickhouse://app:guessed@127.0.0.1:{port}/with_password"
    with pytest.raises(SettingsError, match="cannot be used") as refused:
        ClickHouseStore.open(wrong)
    assert "guessed" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_server_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match=r"ClickHouse at 127.0.0.1:\d+ cannot be used"):
        ClickHouseStore.open(f"clickhouse://127.0.0.1:{free_port()}/db")


def test_the_embedded_journal_does_not_store_into_clickhouse(tmp_path: Path) -> None:
    url = "clickhouse://me:secret@127.0.0.1/db"
    settings = Settings.read(tmp_path, {"FLASK_PERFORMANCE_STORE_URL": url})
    assert "secret" not in repr(settings)
    with pytest.raises(SettingsError, match="QUEUE_URL"), platform(settings):
        pass


@pytest.mark.slow
def test_the_url_of_the_settings_is_opened(tmp_path: Path, url: str) -> None:
    settings = Settings.read(tmp_path, {"FLASK_PERFORMANCE_STORE_URL": url})
    with contextlib.closing(open_store(settings)) as store:
        assert isinstance(store, ClickHouseStore)
    with contextlib.closing(open_store(Settings.read(tmp_path, {}))) as store:
        assert isinstance(store, DuckDBStore)
