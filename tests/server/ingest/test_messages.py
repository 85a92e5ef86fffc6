"""From the broker to ClickHouse: everything once, however often and at whomever a message comes."""

import contextlib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from flask_performance.server.accounts.claims import Claims
from flask_performance.server.accounts.database import AWAY, migration_engine, open_engine, url
from flask_performance.server.accounts.letters import Letters
from flask_performance.server.accounts.models import Base
from flask_performance.server.ingest import messages
from flask_performance.server.ingest.messages import MessageIngest
from flask_performance.server.queue.base import Envelope
from flask_performance.server.settings import Settings
from flask_performance.server.store.base import EventStore, Filter, StoreUnavailableError
from flask_performance.server.store.block import Block
from flask_performance.server.store.clickhouse import ClickHouseStore
from tests.server.batches import START_US, batch, body, single, zipped
from tests.support.clickhouse import ClickHouseServer, clickhouse_server
from tests.support.postgresql import PostgreSQL, running_postgresql

pytestmark = pytest.mark.slow

EVER = Filter(project_id=1, start_us=0, end_us=2 * START_US)
POISONED = batch(2) | {"requests": batch()["requests"] | {"path": ["/poison"] * 3}}
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


class FaultyStore:
    """A real store that is away, dies behind a block, or chokes on a path."""

    def __init__(self, store: ClickHouseStore) -> None:
        self.real = store
        self.away = 0
        self.die_after = False

    def append(self, block: Block, position: int | None = None) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailableError("no server answers")
        if "/poison" in block.columns.get("path", ()):
            raise ValueError("a row that cannot be stored")
        self.real.append(block, position)
        if self.die_after:
            raise SystemExit("killed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class Line:
    """Workers on one database and one store."""

    def __init__(self, settings: Settings, store_url: str) -> None:
        self.engine = open_engine(settings)
        self.store = FaultyStore(ClickHouseStore.open(store_url))
        self.letters = Letters(self.engine)
        self.claims = Claims(self.engine)
        self.projects = {1, 2}

    def worker(self) -> MessageIngest:
        store = cast(EventStore, self.store)
        return MessageIngest(store, self.claims, self._bury, self.projects.__contains__, AWAY)

    def _bury(self, message: str, place: int, one: Envelope, reason: str, counted: int) -> None:
        posted = (one.project_id, one.received_us, one.gzip, one.body)
        self.letters.bury(message, place, posted, reason, counted)

    def stored(self) -> int:
        return self.store.real.summary(EVER).requests

    def close(self) -> None:
        self.store.real.close()
        self.engine.dispose()


@pytest.fixture
def line(postgresql: PostgreSQL, clickhouse: ClickHouseServer, tmp_path: Path) -> Iterator[Line]:
    settings = Settings(data=tmp_path, database_url=postgresql.url(postgresql.create()))
    engine = migration_engine(url(settings))
    Base.metadata.create_all(engine)
    engine.dispose()
    name = f"test_{uuid.uuid4().hex}"
    clickhouse.ask(f"create database {name}")
    with contextlib.closing(Line(settings, clickhouse.url(name))) as line:
        yield line
    clickhouse.ask(f"drop database {name}")


def envelopes(*bodies: bytes, project_id: int = 1) -> list[Envelope]:
    return [
        Envelope(project_id, START_US + place, one.startswith(b"\x1f\x8b"), one)
        for place, one in enumerate(bodies)
    ]


def new_id() -> str:
    return uuid.uuid4().hex


def test_a_message_is_stored_once_however_often_it_comes(line: Line) -> None:
    message, posted = new_id(), envelopes(zipped(batch(1)), zipped(batch(2)), body(single()))
    for _ in range(3):
        line.worker().store(message, posted)
    assert line.stored() == 7
    assert line.store.real.ledger(EVER).stored == 7


def test_dead_letters_have_a_bound_and_go_with_their_project(line: Line) -> None:
    for number in range(10):
        [one] = envelopes(b"x" * 100, project_id=number)
        line._bury(new_id(), 0, one, "spoilt", 0)
    line.letters.delete_left({1, 2, 3, 4}, greatest=7)

    def kept() -> list[int]:
        return [letter[1] for letter in line.letters.listed()]

    assert kept() == [1, 2, 3, 4, 8, 9]
    assert line.letters.trim(450) == 2
    assert kept() == [3, 4, 8, 9]
    assert line.letters.trim(450) == 0


def test_a_batch_that_is_in_two_messages_is_stored_once(line: Line) -> None:
    first, second = envelopes(zipped(batch(1)), zipped(batch(2))), envelopes(zipped(batch(2)))
    line.worker().store(new_id(), first)
    line.worker().store(new_id(), [*second, *envelopes(zipped(batch(3)), zipped(batch(3)))])
    assert line.stored() == 9


def test_workers_at_once_store_each_batch_once(line: Line) -> None:
    together = Barrier(4)
    ids = [new_id() for _ in range(3)]

    def work(place: int) -> None:
        worker = line.worker()
        together.wait()
        for number in range(1, 11):
            # Everybody has every batch; two have it in the same message.
            message = f"{int(ids[place % 3], 16) ^ number:032x}"
            worker.store(message, envelopes(zipped(batch(number))))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert line.stored() == 30
    assert line.store.real.ledger(EVER).stored == 30


def test_a_worker_that_dies_behind_the_store_leaves_nothing_to_repeat(line: Line) -> None:
    message, posted = new_id(), envelopes(zipped(batch(1)), body(single()))
    line.store.die_after = True
    with pytest.raises(SystemExit):
        line.worker().store(message, posted)
    line.store.die_after = False
    line.worker().store(message, posted)
    assert line.stored() == 4


def test_a_store_that_is_away_is_waited_for_and_then_left_to_the_broker(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.store.away = 2
    line.worker().store(new_id(), envelopes(zipped(batch(1))))
    assert line.stored() == 3
    monkeypatch.setattr(messages, "PATIENCE", 0.2)
    line.store.away = 100
    message = new_id()
    with pytest.raises(StoreUnavailableError):
        line.worker().store(message, envelopes(zipped(batch(2))))
    line.store.away = 0
    line.worker().store(message, envelopes(zipped(batch(2))))
    assert line.stored() == 6


def test_what_cannot_be_stored_is_set_aside_and_blocks_nobody(line: Line) -> None:
    message = new_id()
    posted = envelopes(zipped(batch(1)), b"no json", zipped(POISONED), body(single()))
    for _ in range(2):
        line.worker().store(message, posted)
    assert line.stored() == 4
    letters = line.letters.listed()
    assert [(row[1], row[5]) for row in letters] == [(1, 0), (1, 3)]
    assert [row[4] for row in letters][1].startswith("ValueError: a row that cannot be stored")
    ledger = line.store.real.ledger(EVER)
    assert (ledger.stored, ledger.dropped) == (4, {"dead_letter": 3})
    assert line.letters.body(letters[0][0]) == (False, b"no json")


def test_a_letter_that_is_replayed_counts_once(line: Line) -> None:
    line.worker().store(new_id(), envelopes(zipped(POISONED)))
    [(id, _, envelope)] = line.letters.taken(None)
    line.store.append = line.store.real.append  # type: ignore[method-assign]
    again = new_id()
    for _ in range(2):
        line.worker().store(again, [Envelope(*envelope)])
    assert line.letters.delete([id]) == 1
    ledger = line.store.real.ledger(EVER)
    assert (line.stored(), ledger.stored, ledger.dropped.get("dead_letter", 0)) == (3, 3, 0)


def test_a_message_of_very_many_requests_is_stored_in_parts(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "PART_REQUESTS", 5)
    message = new_id()
    posted = envelopes(*(zipped(batch(number)) for number in (1, 2, 3, 1)))
    for _ in range(2):
        line.worker().store(message, posted)
    assert line.stored() == 9


def test_a_batch_older_than_its_claim_is_asked_of_the_store(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.worker().store(new_id(), envelopes(zipped(batch(1))))
    with line.engine.begin() as connection:
        connection.execute(Base.metadata.tables["claims"].delete())
    late = [Envelope(1, START_US + 30 * HOUR_US, True, zipped(batch(1)))]
    line.worker().store(new_id(), late)
    assert line.stored() == 3


def test_what_waits_for_a_deleted_project_is_thrown_away(line: Line) -> None:
    line.projects.remove(2)
    line.worker().store(new_id(), envelopes(zipped(batch(1)), project_id=2))
    assert line.store.real.project_ids() == set()


def test_while_another_worker_has_the_message_one_waits_for_it(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_performance.server.accounts.claims.PATIENCE", 1)
    message = new_id()
    with line.claims.alone(message), pytest.raises(OperationalError):
        line.worker().store(message, envelopes(zipped(batch(1))))
    line.worker().store(message, envelopes(zipped(batch(1))))
    assert line.stored() == 3


def test_old_claims_are_forgotten(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.claims.claim(new_id(), [(1, "a", number) for number in range(10)])
    monkeypatch.setattr("flask_performance.server.accounts.claims.SWEPT", 4)
    line.claims.forget()
    assert line.claims.claim(new_id(), [(1, "a", 1)])[0] == {(1, "a", 1)}
    monkeypatch.setattr("flask_performance.server.accounts.claims.KEPT", -timedelta(minutes=1))
    line.claims.forget()
    assert line.claims.claim(new_id(), [(1, "a", 1)])[0] == set()
