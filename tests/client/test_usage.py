"""What a process tells of itself: memory, processor time, how busy it was, that it lives."""

import random
import threading
import time
from pathlib import Path

import psutil
import pytest
from flask import Flask

from flask_performance import sender as sender_module
from flask_performance.buffer import Record
from flask_performance.usage import most_at_once, resident_bytes

from .conftest import Install
from .stub import Collector
from .test_delivery import Shop


def sleepy(seconds: float) -> Flask:
    app = Flask("sleepy")
    app.config["METRIC_IGNORE"] = ["/ignored"]

    @app.get("/<path:path>")
    def sleep(path: str) -> str:
        time.sleep(seconds)
        return path

    return app


def test_a_batch_says_what_the_process_uses(install: Install) -> None:
    shop = install(sleepy(0.02))
    shop.app.test_client().get("/a")
    shop.app.test_client().get("/ignored")
    assert len(shop.requests) == 1
    said = shop.transport.batches[-1]["process"]
    itself = psutil.Process()
    assert 0.5 < said["memory_bytes"] / itself.memory_info().rss < 2
    assert 0 < said["cpu_us"] <= sum(itself.cpu_times()[:2]) * 1e6 + 50_000
    assert said["threads"] >= 2
    assert said["beat_us"] == 120_000_000
    # What was ignored kept the process busy all the same.
    assert 40_000 <= said["busy_us"] < 40_000_000
    assert said["concurrent"] == 1


def test_requests_at_once_add_up(install: Install) -> None:
    shop = install(sleepy(0.3))
    threads = [
        threading.Thread(target=shop.app.test_client().get, args=(f"/{n}",)) for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shop.requests) == 3
    processes = [batch["process"] for batch in shop.transport.batches]
    assert processes[-1]["busy_us"] >= 900_000
    if len(processes) == 1:  # else a slow machine had them come in two batches
        assert processes[0]["concurrent"] == 3


def records(spans: list[tuple[int, int]]) -> list[Record]:
    return [(begin, end, 200, None, 0, "GET", "/", None) for begin, end in spans]


@pytest.mark.parametrize("seed", range(20))
def test_most_at_once_is_what_counting_finds(seed: int) -> None:
    dice = random.Random(seed)
    begins = [dice.randrange(100) for _ in range(dice.randrange(1, 40))]
    spans = [(begin, begin + dice.randrange(1, 30)) for begin in begins]
    naive = max(sum(begin <= at < end for begin, end in spans) for at in range(130))
    assert most_at_once(records(spans)) == naive


def test_nothing_is_never_at_once() -> None:
    assert most_at_once([]) == 0


def test_memory_is_known_without_proc_too(tmp_path: Path) -> None:
    known = resident_bytes()
    assert known is not None
    fallback = resident_bytes(tmp_path / "no-such-file")
    assert fallback is not None
    assert fallback >= known / 2  # the most it ever was


def test_an_idle_process_says_that_it_lives(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "BEAT", 0.05)
    shop = Shop(collector)
    shop.visit()
    collector.wait_for(lambda: len(collector.accepted) >= 4)
    shop.pc.stop(shop.app, 30)
    batches = list(collector.accepted.values())
    assert [batch["batch"] for batch in batches] == list(range(1, len(batches) + 1))
    assert [len(batch["requests"]["start_us"]) for batch in batches[:4]] == [1, 0, 0, 0]
    assert all(batch["ledger"] == batches[0]["ledger"] for batch in batches)
    assert batches[1]["process"]["beat_us"] == 50_000
    assert "concurrent" not in batches[1]["process"]


def test_beats_do_not_pile_up_while_the_platform_is_away(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "BEAT", 0.01)
    shop = Shop(collector)
    shop.visit()
    collector.wait_for(lambda: len(collector.accepted) == 1)
    collector.reply = lambda _: (503, {"Retry-After": "0"}, b"{}")
    collector.wait_for(lambda: len(collector.received) >= 30)
    assert len({received.batch["batch"] for received in collector.received}) <= 3
    shop.pc.stop(shop.app, 0.5)


def test_a_process_that_is_refused_falls_silent(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "BEAT", 0.01)
    collector.reply = lambda _: (401, {}, b"{}")
    shop = Shop(collector)
    shop.visit()
    collector.wait_for(lambda: collector.received)
    assert shop.pc.flush(shop.app, 30)
    received = len(collector.received)
    shop.visit()
    assert shop.pc.flush(shop.app, 30)
    assert len(collector.received) == received == 1
