"""The sender when things go wrong in its own process: it fails, cannot start, has too much."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance import delivery as delivery_module
from flask_performance import sender as sender_module
from flask_performance.delivery import Delivery
from flask_performance.sender import Sender
from flask_performance.testing import MemoryTransport
from flask_performance.transport import Answer

from .stub import ACCEPTED, Collector, wait_for


class Shop:
    """An app that records into memory."""

    def __init__(self, transport: MemoryTransport) -> None:
        self.app = Flask("shop")
        self.app.config["METRIC_INTERVAL"] = 0.02
        self.app.add_url_rule("/<name>", "page", lambda name: name)
        self.transport = transport
        self.pc = PerformanceCollector(self.app, transport=transport)

    @property
    def sender(self) -> Sender:
        sender: Sender = self.app.extensions["flask_performance"].sender
        return sender

    def visit(self, *names: str) -> None:
        for name in names:
            assert self.app.test_client().get(f"/{name}").status_code == 200

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.transport.requests]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop(MemoryTransport())
    yield shop
    shop.pc.stop(shop.app, 30)


def test_a_sender_that_fails_hurts_no_request_and_is_followed_by_another(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise LookupError("a fault of ours")

    monkeypatch.setattr(sender_module, "START_PAUSE", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(Delivery, "step", fails)
        shop.visit("lost")
        wait_for(lambda: "the sender failed" in caplog.text)
        shop.visit("as well")
    shop.visit("after")
    wait_for(lambda: "/after" in shop.paths)
    first = shop.transport.batches[0]["instance"]["id"]
    assert {batch["instance"]["id"] for batch in shop.transport.batches} == {first}
    assert "Please report this" in caplog.text


def test_a_flush_while_no_thread_can_start(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Thread", NoThread)
        shop.visit("a")
        assert not shop.pc.flush(shop.app, 0.05)
    assert shop.paths == []
    shop.pc.stop(shop.app, 30)  # sends by itself what waits
    assert shop.paths == ["/a"]
    assert caplog.text.count("cannot start its thread") == 1


def test_a_flush_before_the_first_thread_has_a_bell(shop: Shop) -> None:
    shop.sender._start_at = float("inf")  # the pause after a thread that could not start
    assert not shop.pc.flush(shop.app, 0.05)
    shop.sender._start_at = 0.0
    shop.visit("a")
    assert shop.pc.flush(shop.app, 30)
    assert shop.paths == ["/a"]


def test_a_process_that_saw_nothing_says_nothing(shop: Shop) -> None:
    assert shop.pc.flush(shop.app, 30)
    shop.pc.stop(shop.app, 30)
    assert shop.transport.batches == []


def test_a_request_while_another_starts_the_thread_waits_for_nobody(shop: Shop) -> None:
    starting = shop.sender._starting
    assert starting.acquire(blocking=False)  # as the other request does, amid its start
    shop.visit("a")
    starting.release()
    shop.visit("b")
    assert shop.pc.flush(shop.app, 30)
    assert shop.paths == ["/a", "/b"]


def test_a_flush_brings_more_than_one_turn_sends(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "MOST_ROWS", 5)
    monkeypatch.setattr(delivery_module, "FIRST_PAUSE", 60.0)
    away = True
    collector.reply = lambda _: (500, {}, b"") if away else ACCEPTED
    app = Flask("shop")
    app.config.update(METRIC_DSN=collector.dsn, METRIC_INTERVAL=0.02, METRIC_TIMEOUT=30)
    app.add_url_rule("/<int:number>", "page", lambda number: str(number))
    pc = PerformanceCollector(app)
    client = app.test_client()
    for number in range(100):
        client.get(f"/{number}")
        if number % 5 == 0:
            collector.wait_for(lambda n=number: pc.ledger(app)["seen"] == n + 1)  # type: ignore[misc]
    collector.wait_for(lambda: collector.received)
    away = False
    assert pc.flush(app, 60)  # and does not wait for the minute of silence
    assert [request.path for request in collector.requests] == [f"/{n}" for n in range(100)]
    pc.stop(app, 30)


def test_a_hook_may_stop_its_own_sender() -> None:
    """It runs on the sender's thread, which cannot wait for its own end."""
    shop = Shop(MemoryTransport())
    shop.pc.edit(lambda draft: shop.pc.stop(shop.app, 30) or draft)  # type: ignore[func-returns-value]
    shop.visit("last")
    wait_for(lambda: shop.paths == ["/last"])
    wait_for(lambda: shop.transport.batches[-1].get("final"))


def test_requests_that_come_while_the_thread_ends_start_another(shop: Shop) -> None:
    class LastMoment(MemoryTransport):
        def close(self) -> None:
            """The last that the thread does for its instance."""
            if not late:
                late.append(True)
                other.visit("late")

    late: list[bool] = []
    other = Shop(LastMoment())
    other.visit("early")
    other.pc.stop(other.app, 30)
    wait_for(lambda: other.paths == ["/early", "/late"])
    ids = {batch["instance"]["id"] for batch in other.transport.batches}
    assert len(ids) == 2
    other.pc.stop(other.app, 30)


def test_uwsgi_without_threads_is_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sender_module, "uwsgi_without_threads", lambda: True)
    shop.visit("a")
    assert "Start it with --enable-threads" in caplog.text


def test_a_transport_of_ones_own_needs_nothing_but_send() -> None:
    transport = MemoryTransport()
    transport.hurry(0.0)
    transport.abandon()
    assert transport.send is not None
    assert Answer(202).sentence == ""
