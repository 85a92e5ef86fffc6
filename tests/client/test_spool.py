"""METRIC_SPOOL: what the memory cannot hold, and what a process could not send, waits on disk."""

import os
from pathlib import Path

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance import delivery as delivery_module
from flask_performance.encoder import Rows, encode
from flask_performance.spool import STALE_CLAIM, Spool
from tests.support.waiting import free_port

from .stub import ACCEPTED, Collector, Received, Reply, running_collector
from .test_delivery import Shop, paths

INSTANCE = "a" * 32
OTHER = "b" * 32


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(delivery_module, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(delivery_module, "SEARCH_EVERY", 0.05)


def test_what_the_memory_cannot_hold_waits_on_disk(collector: Collector, tmp_path: Path) -> None:
    away = True
    collector.reply = lambda _: (500, {}, b"") if away else ACCEPTED
    shop = Shop(collector, METRIC_BUFFER=200, METRIC_SPOOL=str(tmp_path / "spool"))
    for _ in range(30):  # slower than the buffer fills
        shop.visit(50)
        collector.wait_for(lambda: shop.ledger["seen"] == shop.visits)
    assert shop.ledger["dropped"] == {}
    assert len(list((tmp_path / "spool").iterdir())) > 5
    away = False
    collector.wait_for(lambda: len(collector.requests) == 1500, 20)
    assert paths(collector) == [f"/{number}" for number in range(1, 1501)]
    numbers = [received.batch["batch"] for received in collector.received]
    assert numbers == sorted(numbers)
    shop.pc.stop(shop.app, 30)
    assert collector.received[-1].batch["ledger"] == {"seen": 1500, "sent": 1500, "dropped": {}}
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_a_process_could_not_send_is_sent_by_the_next_one(tmp_path: Path) -> None:
    port = free_port()
    nowhere = Collector(port=port)
    shop = Shop(nowhere, METRIC_SPOOL=str(tmp_path))
    shop.visit(3)
    shop.pc.stop(shop.app, 30)
    assert len(list(tmp_path.iterdir())) >= 1
    with running_collector(port) as collector:
        heir = Shop(collector, METRIC_SPOOL=str(tmp_path))
        heir.visit()
        collector.wait_for(lambda: len(collector.requests) == 4)
        heir.pc.stop(heir.app, 30)
        assert list(tmp_path.iterdir()) == []
        dead = [b for b in collector.accepted.values() if b["ledger"]["seen"] == 3]
        assert dead[-1]["final"] is True
        assert dead[-1]["ledger"] == {"seen": 3, "sent": 3, "dropped": {}}


def test_a_full_spool_refuses(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 0.001)
    assert spool.put(INSTANCE, 1, 1, b"x" * 900)
    assert not spool.put(INSTANCE, 2, 1, b"x" * 900)
    first = spool.claim(INSTANCE)
    assert first is not None
    spool.done(first)
    assert spool.put(INSTANCE, 2, 1, b"x" * 900)


def test_own_batches_come_in_order_and_before_those_of_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1)
    spool.put(OTHER, 1, 5, b"other")
    for number in (9, 10, 11):
        spool.put(INSTANCE, number, 1, b"own")
    (tmp_path / "notes.txt").write_text("somebody's")
    claimed = [spool.claim(INSTANCE) for _ in range(5)]
    assert [c and (c.instance, c.number) for c in claimed] == [
        (INSTANCE, 9),
        (INSTANCE, 10),
        (INSTANCE, 11),
        (OTHER, 1),
        None,
    ]


def test_a_claim_belongs_to_one_process_until_it_is_stale(tmp_path: Path) -> None:
    first, second = Spool(tmp_path, 1), Spool(tmp_path, 1)
    first.put(INSTANCE, 1, 1, b"x")
    claimed = first.claim(INSTANCE)
    assert claimed is not None
    assert second.claim(OTHER) is None
    long_ago = claimed.path.stat().st_mtime - STALE_CLAIM - 1
    os.utime(claimed.path, (long_ago, long_ago))
    assert second.claim(OTHER) is None  # freed by this look, seen by the next
    assert second.claim(OTHER) is not None


def test_a_spool_that_cannot_be_written_is_done_without(
    tmp_path: Path, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("shop")
    app.add_url_rule("/", "page", lambda: "hello")
    app.config.update(METRIC_DSN=collector.dsn, METRIC_SPOOL=str(tmp_path / "spool"))
    pc = PerformanceCollector(app)
    (tmp_path / "spool").write_text("in the way")
    app.test_client().get("/").close()
    collector.wait_for(lambda: collector.requests)
    assert "goes on without METRIC_SPOOL" in caplog.text
    pc.stop(app, 30)


def others_batch() -> bytes:
    """One that another process has left behind."""
    return encode({"id": OTHER}, 1, {"seen": 5, "sent": 5, "dropped": {}}, Rows())


def instances(collector: Collector) -> set[str]:
    return {received.batch["instance"]["id"] for received in collector.received}


def test_a_batch_of_another_process_is_given_back_when_it_finds_no_answer(
    collector: Collector, tmp_path: Path
) -> None:
    Spool(tmp_path, 1).put(OTHER, 1, 5, others_batch())
    collector.reply = lambda _: (500, {}, b"")
    shop = Shop(collector, METRIC_SPOOL=str(tmp_path))
    shop.visit()
    collector.wait_for(lambda: OTHER in instances(collector))
    shop.pc.stop(shop.app, 30)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert f"{OTHER}-0000000001-5.batch" in names
    assert all(name.endswith(".batch") for name in names)


def test_a_batch_of_another_process_that_is_refused_is_not_in_our_ledger(
    collector: Collector, tmp_path: Path
) -> None:
    Spool(tmp_path, 1).put(OTHER, 1, 5, others_batch())

    def reply(received: Received) -> Reply:
        return (400, {}, b"{}") if received.batch["instance"]["id"] == OTHER else ACCEPTED

    collector.reply = reply
    shop = Shop(collector, METRIC_SPOOL=str(tmp_path))
    shop.visit()
    collector.wait_for(lambda: OTHER in instances(collector) and collector.requests)
    shop.pc.stop(shop.app, 30)
    assert collector.received[-1].batch["ledger"] == {"seen": 1, "sent": 1, "dropped": {}}
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_left_meanwhile_goes_along(
    collector: Collector, tmp_path: Path
) -> None:
    shop = Shop(collector, METRIC_SPOOL=str(tmp_path))
    shop.visit()
    collector.wait_for(lambda: collector.requests)
    Spool(tmp_path, 1).put(OTHER, 1, 5, others_batch())

    def found() -> bool:
        shop.visit()
        return OTHER in instances(collector)

    collector.wait_for(found)
    shop.pc.stop(shop.app, 30)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_goes_away_costs_nothing_but_its_batches(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, 1)
    spool.put(INSTANCE, 1, 1, b"own")
    claimed = spool.claim(INSTANCE)
    assert claimed is not None
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert not spool.put(INSTANCE, 2, 1, b"own")
    assert "cannot write to METRIC_SPOOL" in caplog.text
    assert spool.claim(INSTANCE) is None
    assert spool.waiting() == 0
    spool.give_back(claimed)
    spool.done(claimed)


def test_what_is_no_readable_file_is_passed_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1)
    (tmp_path / f"{OTHER}-0000000001-1.batch").mkdir()
    spool.put(OTHER, 2, 1, b"other")
    claimed = spool.claim(INSTANCE)
    assert claimed is not None
    assert claimed.number == 2
