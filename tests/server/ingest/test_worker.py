"""From the journal to the store: everything once, in order, whatever the store does meanwhile."""

import asyncio
import contextlib
import gzip
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_performance.server.counts import Failing
from flask_performance.server.ingest import worker as worker_module
from flask_performance.server.ingest.pipeline import BLOCK_REQUESTS
from flask_performance.server.ingest.worker import IngestWorker
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.server.store.base import (
    Filter,
    LedgerTotals,
    Retention,
    StoreUnavailableError,
)
from flask_performance.server.store.block import Block
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.batches import START_US, batch, body, single, zipped
from tests.support.waiting import wait_for

EVER = Filter(project_id=1, start_us=0, end_us=2 * START_US)


#: Members that make a batch one that `FaultyStore` cannot store.
POISONED = {"requests": batch()["requests"] | {"path": ["/poison"] * 3}}
POISONED_SINGLE = single(path="/poison")


class FaultyStore(DuckDBStore):
    """A real store that can be away, and that chokes on a path."""

    away = False
    refused = 0
    choke_on = "/poison"
    choke_on_receipts = False

    def append(self, block: Block, position: int | None = None) -> None:
        if self.away:
            self.refused += 1
            raise StoreUnavailableError("no space left on device")
        if self.choke_on in block.columns.get("path", ()) or (
            self.choke_on_receipts and block.receipts
        ):
            raise ValueError("a row that cannot be stored")
        super().append(block, position)


class Line:
    """Journal, store and worker on one folder, started and stopped at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.projects = {1, 2}
        self.start()

    def start(self) -> None:
        self.store = FaultyStore(self.folder / "events.duckdb")
        self.journal = Journal(self.folder / "journal.sqlite3")
        self.worker = IngestWorker(self.journal, self.store, self.projects.__contains__)
        self.worker.start()

    def stop(self, seconds: float = 10) -> None:
        self.worker.stop(seconds)
        self.journal.close()
        self.store.close()

    def post(self, *bodies: bytes, project_id: int = 1) -> None:
        """What the collector does with accepted bodies."""

        async def put() -> None:
            for received_us, content in enumerate(bodies, START_US):
                zipped = content.startswith(b"\x1f\x8b")
                await self.journal.put(Envelope(project_id, received_us, zipped, content))

        asyncio.run(put())

    def stored(self) -> int:
        return self.store.summary(EVER).requests

    def wait_for(self, count: int) -> None:
        wait_for(lambda: self.stored() == count, 10, f"{count} stored requests")

    def wait_until_done(self) -> None:
        wait_for(lambda: self.journal.waiting_bytes == 0, 10, "an empty journal")

    def rows(self) -> list[Any]:
        return self.store.requests(EVER, 10_000).rows

    def dead_letters(self) -> list[tuple[bytes, str]]:
        with contextlib.closing(sqlite3.connect(self.folder / "journal.sqlite3")) as connection:
            return connection.execute("select body, reason from dead_letter order by id").fetchall()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path)
    yield line
    line.store.away = False
    line.stop()


def test_a_batch_becomes_rows(line: Line) -> None:
    line.post(zipped(batch()))
    line.wait_for(3)
    row = line.rows()[-1]
    assert (row.method, row.route, row.endpoint) == ("GET", "/users/<id>", "users")
    assert (row.path, row.status, row.duration_us) == ("/users/1-0", 200, 1000)
    assert (row.instance, row.host, row.environment) == ("a" * 32, "web-1", "production")
    assert (row.outcome, row.start_us, row.cpu_us) == ("completed", START_US, None)


def test_all_columns_arrive(line: Line) -> None:
    document = batch(requests=2)
    document["requests"] |= {
        "outcome": [1, 2],
        "first_byte_us": [None, 5],
        "request_bytes": [0, None],
        "response_bytes": [7, 2**40],
        "cpu_us": [None, None],
        "queue_us": [3, 4],
        "exception": [None, "builtins.ValueError"],
        "trace_id": ["f" * 32, None],
        "consumer": ["a\0b", "ünï"],
    }
    line.post(body(document))
    line.wait_for(2)
    second, first = line.rows()
    assert (first.outcome, second.outcome) == ("disconnected", "failed")
    assert (first.first_byte_us, second.first_byte_us) == (None, 5)
    assert (first.request_bytes, second.request_bytes) == (0, None)
    assert (first.response_bytes, second.response_bytes) == (7, 2**40)
    assert (first.queue_us, second.queue_us) == (3, 4)
    assert (first.exception, second.exception) == (None, "builtins.ValueError")
    assert (first.trace_id, second.trace_id) == ("f" * 32, None)
    assert (first.consumer, second.consumer) == ("a\0b", "ünï")


def test_a_batch_without_requests_still_counts_in_the_ledger(line: Line) -> None:
    ledger = {"seen": 9, "sent": 0, "dropped": {"ignored": 9}}
    line.post(body(batch(requests=0, operations=[], ledger=ledger)))
    wait_for(lambda: line.store.ledger(EVER).seen == 9, 10, "the ledger to say 9")
    assert line.store.ledger(EVER).dropped == {"ignored": 9}


def test_requests_of_2019(line: Line) -> None:
    line.post(*[body(single(path=f"/users/{n}", status_code=200 + n)) for n in range(50)])
    line.wait_for(50)
    row = next(row for row in line.rows() if row.status == 203)
    assert (row.method, row.route, row.endpoint, row.path) == ("GET", "users", "users", "/users/3")
    assert row.duration_us == 12_300
    # 08:00:00.123456 UTC is when that client looked at its clock: after the response.
    assert row.start_us == 1_557_907_200_123_456 - 12_300
    totals = line.store.ledger(EVER)
    assert totals == LedgerTotals(seen=50, stored=50, waiting=0, lost=0, dropped={}, silent=0)


def test_what_is_told_of_the_future_grows_old_as_all_else(line: Line) -> None:
    """Or a wrong clock, or a stranger, fills the disk with what is never old enough to go."""
    day_us = 24 * 3600 * 1_000_000
    future = batch()
    future["requests"]["start_us"] = [253_402_300_799_999_999, START_US + 2 * day_us, START_US]
    line.post(body(future), body(single(created_at="9999-12-31 23:59:59.999999")))
    wait_for(lambda: line.store.ledger(EVER).stored == 4, 10, "four stored requests")
    starts = sorted(row.start_us for row in line.rows())
    assert starts == [START_US, START_US + day_us, START_US + day_us, START_US + day_us + 1]
    line.store.roll()
    kept = {1: Retention(raw_days=1, minutes_days=1, hours_days=1)}
    line.store.forget(START_US + 4 * day_us, kept)
    assert line.rows() == []
    assert line.store.summary(EVER).requests == 0


def test_repeats_are_stored_once_in_one_block_in_later_ones_and_after_a_restart(
    line: Line,
) -> None:
    first, second = zipped(batch(1)), zipped(batch(2))
    line.store.away = True  # so that what follows becomes one block
    line.post(first, first, second, first)
    line.store.away = False
    line.wait_for(6)
    line.post(second, first)
    line.wait_until_done()
    line.stop()
    line.start()
    line.post(first, second, zipped(batch(3)))
    line.wait_for(9)
    line.wait_until_done()
    assert line.stored() == 9
    assert line.store.ledger(EVER).seen == 9


def test_the_same_number_of_another_instance_or_project_is_no_repeat(line: Line) -> None:
    line.post(body(batch()), body(batch(instance={"id": "b" * 32})))
    line.post(body(batch()), project_id=2)
    line.wait_for(6)
    other = Filter(project_id=2, start_us=0, end_us=EVER.end_us)
    wait_for(lambda: line.store.summary(other).requests == 3, 10, "the other project's requests")


def test_it_knows_what_it_does_and_that_the_store_takes_nothing(line: Line) -> None:
    def trouble() -> Failing | None:
        return line.worker.trouble.now

    line.post(body(batch(1)), body(batch(2)))
    line.wait_until_done()
    counts = line.worker.counts
    assert (counts.batches, counts.requests) == (2, 6)
    assert 1 <= counts.blocks <= 2
    assert counts.block_seconds.read()[0][-1][1] == counts.blocks
    assert not trouble()
    line.store.away = True
    line.post(body(batch(3)))
    wait_for(trouble, 10, "the worker to notice")
    failing = trouble()
    assert failing
    assert failing.what == "the event store takes nothing"
    line.store.away = False
    line.wait_until_done()
    wait_for(lambda: counts.batches == 3, 10, "the third batch")
    assert failing != trouble()
    assert counts.lag_seconds.read()[0][-1][1] >= 2


def test_what_waits_for_a_deleted_project_is_thrown_away(line: Line) -> None:
    line.store.away = True
    line.post(body(batch()), body(single()), b"garbage", project_id=2)
    line.post(body(batch()))
    wait_for(lambda: line.store.refused >= 1, 10, "the worker to have read the first of them")
    line.stop(seconds=0.5)
    line.projects.remove(2)
    line.start()
    line.wait_for(3)
    line.wait_until_done()
    assert line.store.last_seen_us(2) is None
    assert line.store.environments(2) == []


def test_a_block_that_is_under_way_while_its_project_is_deleted_leaves_nothing(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment: after ingest asked whether the project is there, before it stores."""
    append = line.store.append

    def delete_first(block: Block, position: int) -> None:
        line.projects.discard(2)  # the accounts first …
        line.store.delete_project(2)  # … then the store, and the block comes after both
        append(block, position)

    monkeypatch.setattr(line.store, "append", delete_first)
    line.post(body(batch()), body(single()), project_id=2)
    line.wait_until_done()
    assert line.store.project_ids() == set()
    assert line.store.last_seen_us(2) is None


def test_batches_out_of_order_are_all_stored(line: Line) -> None:
    line.post(*[zipped(batch(number)) for number in (5, 1, 4, 2, 3, 4)])
    line.wait_for(15)
    line.wait_until_done()
    assert line.store.ledger(EVER) == LedgerTotals(
        seen=15, stored=15, waiting=0, lost=0, dropped={}, silent=1
    )


def test_drop_reasons_of_a_newer_client_are_counted_together(line: Line) -> None:
    dropped = {"buffer_full": 1, "bored": 2, "\0": 3, "lost_in_space": 4}
    line.post(body(batch(ledger={"seen": 13, "sent": 3, "dropped": dropped})))
    line.wait_for(3)
    assert line.store.ledger(EVER).dropped == {"buffer_full": 1, "other": 9}


def test_unknown_methods_are_one_method_and_long_texts_are_cut(line: Line) -> None:
    operations = [
        {"method": "GRAB", "route": "/" + "r" * 5000, "endpoint": "e" * 5000},
        {"method": "get", "route": "/x"},
        {"method": "QUERY", "route": "/x"},
    ]
    document = batch(operations=operations, instance={"id": "a", "host": "h" * 5000})
    document["requests"] |= {
        "operation": [0, 1, 2],
        "path": ["/" + "p" * 5000, None, None],
        "exception": ["x" * 5000, None, None],
    }
    line.post(body(document), body(single(method="GRAB", path="/" + "s" * 5000)))
    line.wait_for(4)
    by_method = {(one.method, one.route[:2]) for one in line.store.operations(EVER)}
    assert by_method == {("_OTHER", "/r"), ("_OTHER", "/x"), ("QUERY", "/x"), ("_OTHER", "us")}
    texts = [
        text
        for row in line.rows()
        for text in (row.path, row.route, row.endpoint, row.host, row.exception)
    ]
    assert {len(text) for text in texts if text and len(text) > 100} == {2048, 200}
    assert {len(row.host) for row in line.rows() if row.host} == {200}


OTHER = {"id": "b" * 32}
#: A body that cannot be stored, why, how often of two it is buried, how many requests are counted.
POISON: list[tuple[bytes, str, int, int]] = [
    (b"garbage", "JSON", 2, 0),
    (gzip.compress(b"garbage", mtime=0), "JSON", 2, 0),
    (b"\x1f\x8bgarbage", "gzip", 2, 0),
    (body(batch(version=2)), "version", 2, 0),
    # The numbers of these can be read, and then a repeat is known as one.
    (body(batch(90, instance=OTHER, sent_us=-1)), "sent_us", 2, 3),
    (zipped(batch(90, instance=OTHER, operations=[])), "operation", 2, 3),
    (zipped(batch(90, instance=OTHER) | POISONED), "ValueError", 1, 3),
    (body(single(path="/poison")), "ValueError", 2, 2),
]


@pytest.mark.parametrize(("poison", "reason", "buried", "counted"), POISON)
def test_poison_goes_to_the_dead_letters_and_blocks_nobody(
    line: Line,
    poison: bytes,
    reason: str,
    buried: int,
    counted: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    line.store.away = True
    line.post(body(batch(1)), poison, body(batch(2)), poison, body(batch(3)))
    line.store.away = False
    line.wait_for(9)
    line.wait_until_done()
    letters = line.dead_letters()
    assert [letter for letter, _ in letters] == [poison] * buried
    assert all(reason in said for _, said in letters)
    assert "dead letters" in caplog.text
    ledger = line.store.ledger(EVER)
    assert (ledger.stored, ledger.dropped.get("dead_letter", 0)) == (9, counted)
    line.stop()
    line.start()
    line.post(body(batch(4)))
    line.wait_for(12)
    assert len(line.dead_letters()) == buried


def test_requests_in_the_dead_letters_are_dropped_and_not_lost(line: Line) -> None:
    line.post(body(batch(1)), body(batch(2) | POISONED), body(batch(3)), body(batch(2)))
    line.wait_for(6)
    line.wait_until_done()
    expected = LedgerTotals(
        seen=9, stored=6, waiting=0, lost=0, dropped={"dead_letter": 3}, silent=1
    )
    assert line.store.ledger(EVER) == expected
    line.store.maintain(3 * START_US)
    line.stop()
    line.start()
    assert line.store.ledger(EVER) == expected
    line.post(body(batch(2)), body(batch(4)))
    line.wait_for(9)
    assert line.store.ledger(EVER).dropped == {"dead_letter": 3}


@pytest.mark.parametrize("merged", [False, True])
def test_replayed_dead_letters_move_from_dropped_to_stored(line: Line, merged: bool) -> None:
    line.post(body(batch(1)), body(batch(2) | POISONED), body(batch(3)), body(POISONED_SINGLE))
    line.wait_for(6)
    line.wait_until_done()
    before = line.store.ledger(EVER)
    assert (before.stored, before.dropped) == (6, {"dead_letter": 4})
    if merged:
        line.store.maintain(3 * START_US)
    assert line.journal.replay(None) == 2
    wait_for(lambda: len(line.dead_letters()) == 2, 10, "both to be buried again")
    line.wait_until_done()
    assert line.store.ledger(EVER) == before, "what is buried again is counted once"
    line.store.choke_on = ""
    assert line.journal.replay(None) == 2
    line.wait_for(10)
    line.wait_until_done()
    if merged:
        line.store.maintain(3 * START_US)
    line.stop()
    line.start()
    line.post(body(batch(2)), body(batch(4)))
    line.wait_for(13)
    after = line.store.ledger(EVER)
    assert (after.seen, after.stored, after.lost, after.dropped) == (13, 13, 0, {})
    assert line.dead_letters() == []


def test_a_replayed_letter_that_the_ledger_does_not_know_of_is_stored_as_any_batch(
    line: Line,
) -> None:
    line.store.choke_on_receipts = True
    line.post(body(batch(1) | POISONED))
    wait_for(lambda: line.dead_letters(), 10, "the batch to be buried")
    line.wait_until_done()
    line.store.choke_on_receipts, line.store.choke_on = False, ""
    line.post(body(batch(2)))
    line.wait_for(3)
    assert line.store.ledger(EVER).lost == 3
    assert line.journal.replay(None) == 1
    line.wait_for(6)
    totals = line.store.ledger(EVER)
    assert (totals.seen, totals.stored, totals.lost, totals.dropped) == (6, 6, 0, {})


def test_a_batch_whose_very_ledger_cannot_be_kept_blocks_nobody(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.store.choke_on_receipts = True
    line.post(body(batch(1) | POISONED), body(batch(2)))
    wait_for(lambda: len(line.dead_letters()) == 2, 10, "both batches to be buried")
    line.wait_until_done()
    line.store.choke_on_receipts = False
    assert "cannot even be counted" in caplog.text
    line.post(body(batch(3)))
    line.wait_for(3)
    assert line.store.ledger(EVER).lost == 6, "the next batch tells that they were sent"


def test_the_greatest_numbers_a_client_may_report_are_counted(line: Line) -> None:
    dropped = {f"reason {place}": 2**53 for place in range(100)}
    line.post(body(batch(1, ledger={"seen": 2**53, "sent": 3, "dropped": dropped})))
    line.wait_for(3)
    assert line.dead_letters() == []
    assert line.store.ledger(EVER).dropped == {"other": 100 * 2**53}


def test_a_store_that_is_away_is_waited_for(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    line.store.away = True
    line.post(*[zipped(batch(number)) for number in range(1, 21)])
    wait_for(lambda: line.store.refused >= 3, 10, "the worker to try again")
    assert line.stored() == 0
    assert line.dead_letters() == []
    line.store.away = False
    line.wait_for(60)
    line.wait_until_done()
    said = [record.message for record in caplog.records]
    assert sum("takes nothing" in words for words in said) == 1, "one line, not a flood"
    assert sum("takes requests again" in words for words in said) == 1


def test_stopping_while_the_store_is_away_leaves_everything_for_the_next_start(
    line: Line,
) -> None:
    line.store.away = True
    line.post(*[zipped(batch(number)) for number in range(1, 6)])
    wait_for(lambda: line.store.refused >= 1, 10, "the worker to try")
    line.stop(seconds=0.5)
    line.start()
    line.wait_for(15)
    assert line.dead_letters() == []


def test_stopping_empties_the_journal(line: Line) -> None:
    line.post(*[zipped(batch(number, requests=200)) for number in range(1, 200)])
    line.stop(seconds=30)
    line.start()
    assert line.stored() == 199 * 200


def test_small_bodies_with_many_requests_become_several_blocks(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = 0
    append: Callable[[Block, int], None] = line.store.append

    def measured(block: Block, position: int) -> None:
        nonlocal largest
        largest = max(largest, block.requests)
        append(block, position)

    monkeypatch.setattr(line.store, "append", measured)
    line.store.away = True
    line.post(*[zipped(batch(number, requests=10_000)) for number in range(1, 28)])
    line.store.away = False
    line.wait_for(270_000)
    assert 10_000 <= largest <= BLOCK_REQUESTS + 10_000 < 270_000


def test_many_new_requests_are_rolled_up_at_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every question reads them one by one until timed work comes to it."""
    monkeypatch.setattr(worker_module, "ROLL_FROM", 6)
    rolled, roll = threading.Event(), line.store.roll

    def noted() -> None:
        roll()
        rolled.set()

    monkeypatch.setattr(line.store, "roll", noted)
    line.post(zipped(batch(1)))
    line.wait_for(3)
    assert not rolled.is_set()
    line.post(zipped(batch(2)))
    assert rolled.wait(30)
    assert line.stored() == 6


def test_nothing_is_left_running(line: Line) -> None:
    line.stop()
    names = {thread.name for thread in threading.enumerate()}
    assert names.isdisjoint({"ingest", "journal"})
    line.start()


def test_a_batch_that_was_damaged_while_it_waited_goes_to_the_dead_letters(line: Line) -> None:
    line.store.away = True
    line.post(*(zipped(batch(number)) for number in (1, 2, 3)))
    line.stop(0)
    with contextlib.closing(sqlite3.connect(line.folder / "journal.sqlite3")) as file, file:
        spoilt = zipped(batch(4))
        file.execute("update entry set body = ? where received_us = ?", [spoilt, START_US + 1])
    line.start()
    line.wait_for(6)
    line.wait_until_done()
    ((kept, reason),) = line.dead_letters()
    assert kept == spoilt
    assert reason.startswith("It was damaged while it waited")
