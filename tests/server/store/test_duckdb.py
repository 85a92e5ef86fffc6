"""The embedded home of the event store: the contract, and what only a DuckDB file can get wrong."""

import contextlib
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import msgspec
import pytest

from flask_performance.server.settings import SettingsError
from flask_performance.server.store import duckdb_upkeep
from flask_performance.server.store.base import (
    DAY_US,
    EventStore,
    Filter,
    Retention,
    StoreUnavailableError,
)
from flask_performance.server.store.block import Block
from flask_performance.server.store.duckdb import DuckDBStore
from tests.support.faults import full_disk

from .builders import NOON_US, block
from .contract import DAY, everything
from .every_contract import EveryContract
from .model import HOUR_US, MINUTE_US, World, assert_stats

#: Of a DuckDB file (bytes).
BLOCK_SIZE = 256 * 1024


def open_store(folder: Path) -> DuckDBStore:
    return DuckDBStore(folder / "events.duckdb")


class TestDuckDB(EveryContract):
    """The contract of every home."""

    @classmethod
    def open(cls, folder: Path) -> EventStore:
        return open_store(folder)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    with contextlib.closing(open_store(tmp_path)) as store:
        yield store


# -- space ---------------------------------------------------------------------------------------


def test_the_space_of_what_is_forgotten_is_used_again(tmp_path: Path) -> None:
    """Twelve days of which two are kept: the file stops growing. The log beside it is bounded."""
    file, sizes = tmp_path / "events.duckdb", []
    kept = {1: Retention(raw_days=2, minutes_days=2, hours_days=2)}
    with contextlib.closing(open_store(tmp_path)) as store:
        for day in range(1, 13):
            first_us = NOON_US + day * DAY_US
            requests = [
                {"start_us": first_us + 4_000_000 * place, "path": f"/{day}/{place}"}
                for place in range(20_000)
            ]
            store.append(
                block(requests, number=day, sent_total=20_000 * day, received_us=first_us), day
            )
            store.roll()
            store.maintain(first_us + DAY_US)
            store.forget(first_us + DAY_US, kept)
            store._rows("checkpoint")  # what DuckDB does by itself when its log is long
            sizes.append(file.stat().st_size)
    assert max(sizes[6:]) <= 1.5 * max(sizes[3:6]), sizes


def test_what_rollups_are_made_of_can_be_opened_again(tmp_path: Path) -> None:
    """From when on single requests are there is remembered by the file."""
    kept = {1: Retention(raw_days=1, minutes_days=90, hours_days=700)}
    hour = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 5 * MINUTE_US)
    with contextlib.closing(open_store(tmp_path)) as store:
        store.append(block([{"start_us": NOON_US}]), 1)
        store.roll()
        store.forget(NOON_US + 2 * DAY_US, kept)
    with contextlib.closing(open_store(tmp_path)) as store:
        assert store.summary(hour).requests == 1


# -- what cannot be opened -----------------------------------------------------------------------


def test_a_newer_schema_is_refused_and_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "events.duckdb"
    open_store(tmp_path).close()
    with duckdb.connect(str(file)) as connection:
        connection.execute("update meta set value = 4711 where name = 'schema'")
    before = file.read_bytes()
    with pytest.raises(SettingsError, match=r"newer version .* 4711.* nothing was changed"):
        open_store(tmp_path)
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database", b"\0" * 100_000])
def test_a_file_that_is_no_database_is_refused_and_unchanged(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "events.duckdb"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=str(file)) as refused:
        open_store(tmp_path)
    assert "\n" not in str(refused.value)
    assert file.read_bytes() == content


def test_a_file_that_another_program_has_open_is_no_damage(tmp_path: Path) -> None:
    file = tmp_path / "events.duckdb"
    open_store(tmp_path).close()
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(SettingsError, match=r"is in use .*Stop the program") as refused:
            open_store(tmp_path)
        other.communicate(b"\n")
    assert "backup" not in str(refused.value)
    open_store(tmp_path).close()


# -- positions -----------------------------------------------------------------------------------


def test_the_position_is_known_after_reopening(tmp_path: Path, store: DuckDBStore) -> None:
    store.append(block([{}] * 3), 41)
    store.append(block([{}] * 3, number=3, sent_total=6), 42)
    assert store.position() == 42
    store.close()
    with contextlib.closing(open_store(tmp_path)) as again:
        assert again.position() == 42


def test_a_stored_position_is_not_stored_again(store: DuckDBStore) -> None:
    store.append(block([{}] * 3), 5)
    store.append(block([{}] * 3), 5)
    assert store.summary(DAY).requests == 3
    assert store.ledger(DAY).stored == 3


def test_a_block_without_a_position_is_refused(store: DuckDBStore) -> None:
    with pytest.raises(ValueError, match="journal"):
        store.append(block([{}]))


# -- append: all or nothing ----------------------------------------------------------------------


def broken() -> dict[str, object]:
    """A row that no file can hold: half a character."""
    return {"path": "\ud800"}


def test_a_block_that_fails_midway_leaves_nothing(tmp_path: Path, store: DuckDBStore) -> None:
    store.append(block([{}] * 3, dropped_totals={"error": 1}), 1)
    bad = block(
        [{}] * 4 + [broken()], number=2, sent_total=8, wire_id="new", environment="new",
        dropped_totals={"error": 2},
    )  # fmt: skip
    for _ in range(3):
        with pytest.raises(duckdb.InvalidInputException):
            store.append(bad, 2)
        assert store.position() == 1
        assert store.summary(DAY).requests == 3
        assert store.ledger(DAY).seen == 4
        assert store.environments(1) == ["production"]
        assert not store.has_batch(1, "new", 2)
    good = block(
        [{}] * 5, number=2, sent_total=8, wire_id="new", environment="new",
        dropped_totals={"error": 2},
    )  # fmt: skip
    store.append(good, 2)
    store.close()
    with contextlib.closing(open_store(tmp_path)) as again:
        assert again.position() == 2
        assert again.summary(DAY).requests == 8
        assert again.environments(1) == ["new", "production"]
        assert again.ledger(DAY).dropped == {"error": 3}


def test_the_revision_never_goes_back_when_an_append_fails(store: DuckDBStore) -> None:
    seen = {store.revision(1)}
    for number in range(1, 4):
        store.append(block([{}], number=number, sent_total=number), number)
        assert store.revision(1) not in seen
        seen.add(store.revision(1))
        with pytest.raises(duckdb.InvalidInputException):
            store.append(block([broken()], number=number + 1), number + 1)


def test_a_full_disk_is_unavailable_and_over_when_there_is_room(
    tmp_path: Path, store: DuckDBStore
) -> None:
    world = World(11)
    store.append(world.batch(500, project_id=1), world.next_position())
    before = world.matching(DAY)
    late = world.batch(20_000, project_id=1)
    position = world.next_position()
    with full_disk(tmp_path / "events.duckdb", 100_000):
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                store.append(late, position)
    for _ in range(2):
        # The first attempt may have to open the file anew while a reader is still in the old one.
        with contextlib.suppress(StoreUnavailableError):
            store.append(late, position)
    assert store.position() == position
    assert_stats(store.summary(DAY), world.matching(DAY))
    assert len(world.matching(DAY)) == len(before) + 20_000
    store.close()
    with contextlib.closing(open_store(tmp_path)) as again:
        assert_stats(again.summary(DAY), world.matching(DAY))
        assert again.ledger(DAY).lost == 0


def test_what_is_durable_though_its_checkpoint_failed_is_stored_once(
    tmp_path: Path, store: DuckDBStore
) -> None:
    """DuckDB says so, as an error, when the log beside the file has room and the file has none."""
    store.append(block([{"path": f"/{place * 7919}"} for place in range(20_000)]), 1)
    store._connection.execute("checkpoint")
    store._connection.execute("set wal_autocheckpoint = '100KB'")
    said = set()
    with full_disk(tmp_path / "events.duckdb", 0):
        for position in range(2, 30):
            rows: list[dict[str, object]] = [{"path": f"/{position}/{n}"} for n in range(300)]
            sent_total = 20_000 + 300 * (position - 1)
            late = block(rows, number=position, sent_total=sent_total)
            for _ in range(3):
                revision = store.revision(1)
                try:
                    store.append(late, position)
                except StoreUnavailableError as error:
                    said.add(str(error)[:44])
                    assert store.summary(DAY).requests, "readers are not kept waiting"
                else:
                    assert store.revision(1) > revision
                    break
    assert said == {"FATAL Error: Transaction COMMIT succeeded an"}
    assert store.summary(DAY).requests == 28_400
    ledger = store.ledger(DAY)
    assert (ledger.stored, ledger.lost) == (28_400, 0)


def test_a_checkpoint_that_fails_for_a_copy_leaves_a_store_that_answers(
    tmp_path: Path, store: DuckDBStore
) -> None:
    store.append(block([{"path": f"/{place * 7919}"} for place in range(20_000)]), 1)
    with full_disk(tmp_path / "events.duckdb", 0), store.still():
        pass
    assert store.summary(DAY).requests == 20_000
    store.append(block([{}] * 2, number=2, sent_total=20_002), 2)
    store.roll()
    assert store.summary(DAY).requests == 20_002


def test_a_connection_that_broke_is_opened_anew(tmp_path: Path, store: DuckDBStore) -> None:
    """DuckDB refuses everything after a fatal error; so does a connection that was closed."""
    store.append(block([{}] * 3), 1)
    store._connection.close()
    late = block([{}] * 2, number=2, sent_total=5)
    with pytest.raises(StoreUnavailableError):
        store.append(late, 2)
    store.append(late, 2)
    assert store.summary(DAY).requests == 5
    assert store.ledger(DAY).lost == 0
    assert store.has_batch(1, "a" * 32, 2)
    store.roll()
    assert store.summary(DAY).requests == 5


def test_a_damaged_block_is_the_files_fault_and_said_to_who_needs_it(tmp_path: Path) -> None:
    """DuckDB reads a block when it is needed: the file opens, and much of it answers."""
    file = tmp_path / "events.duckdb"
    with contextlib.closing(open_store(tmp_path)) as store:
        paths: list[dict[str, object]] = [
            {"path": f"/{place * 7919 % 1_000_003}/{'x' * 40}"} for place in range(120_000)
        ]
        store.append(block(paths), 1)
        store.roll()
    content, said = file.read_bytes(), None
    for start in range(4 * BLOCK_SIZE, len(content) - BLOCK_SIZE, BLOCK_SIZE):
        file.write_bytes(content[:start] + bytes(4096) + content[start + 4096 :])
        if (said := asked_of_damaged(tmp_path)) is not None:
            break
    assert said is not None, "no block held requests"
    assert "its file is damaged, restore it from a backup" in said


def asked_of_damaged(folder: Path) -> str | None:
    """What a question was told; None where the block was not needed, or much more than it."""
    try:
        damaged = open_store(folder)
    except SettingsError:
        return None
    with contextlib.closing(damaged) as store:
        try:
            assert len(store.requests(DAY, 200_000).rows) == 120_000
        except StoreUnavailableError as error:
            return str(error)
    return None


def test_what_a_damaged_file_refuses_is_no_fault_of_the_block(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or every batch that comes would go to the dead letters."""

    def damaged(*_: object) -> None:
        raise duckdb.Error("Corrupt database file: computed checksum 1 does not match")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_append_receipts", damaged)
        with pytest.raises(StoreUnavailableError, match="restore it from a backup"):
            store.append(block([{}]), 1)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_open", damaged)
        store._reopen = True
        with pytest.raises(StoreUnavailableError):
            store.append(block([{}]), 1)
    store.append(block([{}]), 1)
    assert store.summary(DAY).requests == 1


def test_a_reader_waits_while_the_file_is_opened_anew(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(block([{}] * 3), 1)
    closed, waits = threading.Event(), threading.Event()
    opens, opened_anew = store._open, store._opened_anew

    def open_late() -> None:
        closed.set()
        assert waits.wait(10)
        opens()

    def noted(before: duckdb.DuckDBPyConnection) -> bool:
        waits.set()
        return opened_anew(before)

    monkeypatch.setattr(store, "_open", open_late)
    monkeypatch.setattr(store, "_opened_anew", noted)
    store._reopen = True
    with ThreadPoolExecutor() as pool:
        mending = pool.submit(store._mend)
        assert closed.wait(10)
        assert pool.submit(store.summary, DAY).result().requests == 3
        mending.result()


def test_a_reader_of_a_closed_store_waits_for_nothing(store: DuckDBStore) -> None:
    store.close()
    with pytest.raises(StoreUnavailableError):
        store.summary(DAY)


# -- readers beside the writer -------------------------------------------------------------------


HUNDREDS = Filter(project_id=1, start_us=NOON_US - 2 * HOUR_US, end_us=NOON_US + HOUR_US)
QUESTIONS: dict[str, Callable[[DuckDBStore], int]] = {
    "summary": lambda store: store.summary(HUNDREDS).requests,
    "operations": lambda store: sum(one.requests for one in store.operations(HUNDREDS)),
    "series": lambda store: sum(one.requests for one in store.series(HUNDREDS, MINUTE_US)),
    "requests": lambda store: len(store.requests(HUNDREDS, 10_000).rows),
    "measures": lambda store: (
        found.requests if (found := store.measures(HUNDREDS).get("duration_us")) else 0
    ),
}


def hundred(number: int) -> Block:
    """A hundred requests over a hundred minutes, of an operation of its own."""
    rows: list[dict[str, object]] = [
        {"start_us": NOON_US - place * MINUTE_US, "operation": f"GET /{number}"}
        for place in range(100)
    ]
    return block(rows, number=number, sent_total=100 * number)


def ask_until(done: threading.Event, store: DuckDBStore) -> list[tuple[str, int]]:
    """Ask one question after the other; every answer."""
    answers = []
    while not done.is_set():
        answers += [(name, ask(store)) for name, ask in QUESTIONS.items()]
    return answers


def upkeep_until(done: threading.Event, store: DuckDBStore) -> None:
    while not done.wait(0.01):
        store.roll()
        store.maintain(NOON_US + HOUR_US)


def test_what_is_stored_already_is_seen_before_its_revision_is_told(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two an answer that was kept is old: a total would go back."""
    totals: list[list[int]] = []

    class Told(defaultdict[int, int]):
        def __setitem__(self, project_id: int, revision: int) -> None:
            totals.append([ask(store) for ask in QUESTIONS.values()])
            super().__setitem__(project_id, revision)

    store.append(hundred(1), 1)
    assert QUESTIONS["series"](store) == 100
    monkeypatch.setattr(store, "_revisions", Told(int, store._revisions))
    store.append(hundred(2), 2)
    assert totals == [[200] * len(QUESTIONS)]


def test_many_requests_are_rolled_up_in_pieces(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million of them would keep blocks waiting; what is between two pieces is seen once."""
    monkeypatch.setattr(duckdb_upkeep, "ROLL_MOST", 3)
    store.append(block([{"start_us": NOON_US + place, "status": 200} for place in range(10)]), 1)
    seen = []
    real = store._roll_some

    def piece(end: int) -> bool:
        more = real(end)
        seen.append(store.summary(DAY).requests)
        return more

    monkeypatch.setattr(store, "_roll_some", piece)
    store.roll()
    assert seen == [10] * 4
    store.roll()
    assert seen == [10] * 5


def test_requests_that_are_sorted_are_the_same_to_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids, pages, totals: before and after requests were written anew, and in a file reopened."""
    monkeypatch.setattr(duckdb_upkeep, "DETAIL_FROM", 100)
    monkeypatch.setattr(duckdb_upkeep, "SETTLE", 1_000)
    world = World(17)
    filters = [world.filter() for _ in range(20)]
    with contextlib.closing(open_store(tmp_path)) as store:
        for _ in range(10):
            store.append(world.batch(450), world.next_position())
        before = [everything(store, filter, 100) for filter in filters]
        store.roll()
        assert [everything(store, filter, 100) for filter in filters] == before
        store.maintain(NOON_US)
        assert store._marks() == {"rolled": 4_500, "detailed": 4_500, "settled": 4_000}
        assert [everything(store, filter, 100) for filter in filters] == before
    with contextlib.closing(open_store(tmp_path)) as store:
        assert [everything(store, filter, 100) for filter in filters] == before
        for filter in filters:
            assert_stats(store.summary(filter), world.matching(filter))
        store.delete_project(1)
        store.append(world.batch(450, project_id=2), world.next_position())
        store.roll()
        store.maintain(NOON_US)
        assert store.summary(DAY).requests == 0
        filter = msgspec.structs.replace(DAY, project_id=2)
        assert_stats(store.summary(filter), world.matching(filter))


def fail_after_deleting(store: DuckDBStore) -> None:
    with store._beside() as connection:
        connection.execute("delete from request")
        raise duckdb.IOException("no space left on the device")


def test_blocks_are_stored_while_requests_are_sorted(
    store: DuckDBStore,
) -> None:
    """Sorting takes long, and an acknowledged batch is visible within a second."""
    store.append(hundred(1), 1)
    with store._beside() as connection:
        connection.execute("update meta set value = value + 1 where name = 'settled'")
        store.append(hundred(2), 2)
        assert store.summary(HUNDREDS).requests == 200
    assert store._marks()["settled"] == 1
    with pytest.raises(StoreUnavailableError):
        fail_after_deleting(store)
    assert store.summary(HUNDREDS).requests == 200


def test_readers_never_see_a_wrong_total(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_upkeep, "DETAIL_FROM", 50)
    monkeypatch.setattr(duckdb_upkeep, "SETTLE", 300)
    done = threading.Event()
    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(ask_until, done, store) for _ in range(2)]
        upkeep = pool.submit(upkeep_until, done, store)
        try:
            for number in range(1, 41):
                store.append(hundred(number), number)
        finally:
            done.set()
    upkeep.result()
    for reader in readers:
        answers = reader.result()
        totals = [total for _, total in answers]
        assert [answer for answer in answers if answer[1] % 100] == []
        assert totals == sorted(totals)
    assert [ask(store) for ask in QUESTIONS.values()] == [4000] * len(QUESTIONS)
