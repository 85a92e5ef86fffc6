"""Whatever the platform answers, or does not: what can be kept is kept, a repeat is the same batch
again, and the ledger tells the truth."""

import json
import logging
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance import delivery as delivery_module
from flask_performance import sender as sender_module
from flask_performance.rules import Draft
from flask_performance.testing import rows
from flask_performance.wire import Ledger

from .stub import ACCEPTED, Collector, Received, Reply


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(delivery_module, "LONGEST_PAUSE", 0.2)


class Shop:
    """An app that sends to a collector."""

    def __init__(self, collector: Collector, **config: object) -> None:
        self.app = Flask("shop")
        # So patient that on no machine anything is sent twice, unless a test wants it.
        usual = {"METRIC_DSN": collector.dsn, "METRIC_INTERVAL": 0.02, "METRIC_TIMEOUT": 30}
        self.app.config.update(usual, **config)
        self.app.add_url_rule("/<int:number>", "page", lambda number: str(number))
        self.pc = PerformanceCollector(self.app)
        self.visits = 0

    def visit(self, times: int = 1) -> None:
        client = self.app.test_client()
        for _ in range(times):
            self.visits += 1
            client.get(f"/{self.visits}")

    @property
    def ledger(self) -> Ledger:
        return self.pc.ledger(self.app)


@pytest.fixture
def shop(collector: Collector) -> Iterator[Shop]:
    shop = Shop(collector)
    yield shop
    shop.pc.stop(shop.app, 30)


def paths(collector: Collector) -> list[str]:
    return [request.path for request in collector.requests]


def expected(shop: Shop) -> list[str]:
    return [f"/{number}" for number in range(1, shop.visits + 1)]


def scripted(*replies: Reply | type[Exception]) -> Callable[[Received], Reply]:
    """Answer so, one after the other, then accept everything."""
    left = list(replies)

    def reply(received: Received) -> Reply:
        answer = left.pop(0) if left else ACCEPTED
        if isinstance(answer, type):
            raise answer
        return answer

    return reply


def test_what_is_posted(collector: Collector, shop: Shop) -> None:
    shop.visit(3)
    collector.wait_for(lambda: len(collector.requests) == 3)
    first = collector.received[0]
    assert first.path == "/v1/collector/c5b35bc078844a59a15dd506e08f3ae6"
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["Content-Encoding"] == "gzip"
    assert first.headers["User-Agent"].startswith("flask-performance/")
    assert [received.batch["batch"] for received in collector.received] == list(
        range(1, len(collector.received) + 1)
    )
    assert len({received.batch["instance"]["id"] for received in collector.received}) == 1


def test_sent_within_half_a_second_of_the_end(collector: Collector) -> None:
    shop = Shop(collector)
    del shop.app.config["METRIC_INTERVAL"]  # as installed
    took = []
    for _ in range(5):
        shop.visit()
        ended = time.time()
        collector.wait_for(lambda: len(collector.requests) == shop.visits)
        took.append(collector.received[-1].at - ended)
    assert min(took) < 0.25  # the others may have met a machine with other things to do
    shop.pc.stop(shop.app, 30)


def test_the_last_batch_says_goodbye(collector: Collector, shop: Shop) -> None:
    shop.visit(2)
    shop.pc.stop(shop.app, 30)
    last = collector.received[-1].batch
    assert last["final"] is True
    assert last["ledger"] == {"seen": 2, "sent": 2, "dropped": {}}
    assert paths(collector) == expected(shop)


def test_requests_after_a_stop_are_a_new_instance(collector: Collector, shop: Shop) -> None:
    shop.visit()
    shop.pc.stop(shop.app, 30)
    shop.visit()
    collector.wait_for(lambda: len(collector.requests) == 2)
    assert len({received.batch["instance"]["id"] for received in collector.received}) == 2


@pytest.mark.parametrize(
    "failure",
    [
        (500, {}, b"oops"),
        (503, {"Retry-After": "0"}, b"{}"),
        (429, {"Retry-After": "0"}, b"{}"),
        (404, {}, b"another server"),
        (302, {"Location": "/elsewhere"}, b""),
        ConnectionError,
    ],
    ids=["500", "503", "429", "404", "redirect", "hangs up"],
)
def test_an_unanswered_batch_comes_again_byte_for_byte_before_any_other(
    collector: Collector, shop: Shop, failure: Reply | type[Exception]
) -> None:
    collector.reply = scripted(failure, failure, failure)
    shop.visit(3)
    collector.wait_for(lambda: len(collector.received) >= 2)
    shop.visit(3)
    collector.wait_for(lambda: len(collector.requests) == 6)
    bodies = [received.body for received in collector.received]
    assert bodies[0] == bodies[1] == bodies[2] == bodies[3]
    numbers = [received.batch["batch"] for received in collector.received]
    assert numbers == sorted(numbers)
    assert paths(collector) == expected(shop)
    assert shop.ledger == {"seen": 6, "sent": 6, "dropped": {}}


def test_an_answer_that_comes_too_late(collector: Collector) -> None:
    shop = Shop(collector, METRIC_TIMEOUT=0.1)

    def slow(received: Received) -> Reply:
        if len(collector.received) == 1:
            time.sleep(0.3)
        return ACCEPTED

    collector.reply = slow
    shop.visit(2)
    collector.wait_for(lambda: len(collector.received) >= 2)
    assert collector.received[0].body == collector.received[1].body
    shop.pc.stop(shop.app, 30)
    assert paths(collector) == expected(shop)


def test_retry_after_is_obeyed(collector: Collector, shop: Shop) -> None:
    collector.reply = scripted((429, {"Retry-After": "1"}, b"{}"))
    shop.visit()
    collector.wait_for(lambda: collector.requests)
    first, second = collector.received[:2]
    assert second.at - first.at >= 0.99


def test_an_unknown_key_stops_the_sending(
    collector: Collector, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    collector.reply = lambda _: (401, {}, b'{"error": "No project has this key."}')
    shop.visit(2)
    collector.wait_for(lambda: shop.ledger["dropped"].get("rejected"))
    shop.visit(3)
    collector.wait_for(lambda: shop.ledger["dropped"].get("rejected") == 5)
    assert len(collector.received) == 1
    assert shop.ledger == {"seen": 5, "sent": 0, "dropped": {"rejected": 5}}
    (line,) = caplog.messages
    assert line == (
        f"Flask-Performance: the platform at 127.0.0.1:{collector.port} does not know the key of "
        'METRIC_DSN (401). It says: "No project has this key." Check METRIC_DSN and restart; until '
        "then nothing is sent."
    )


@pytest.mark.parametrize("status", [400, 415])
def test_a_malformed_batch_is_dropped_and_the_next_one_sent(
    collector: Collector, shop: Shop, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    collector.reply = scripted((status, {}, b'{"error": "`status` is odd"}'))
    shop.visit(2)
    collector.wait_for(lambda: len(collector.received) == 2)
    assert rows(collector.received[1].batch) == []
    shop.visit()
    collector.wait_for(lambda: len(collector.requests) == 1)
    collector.wait_for(lambda: shop.ledger["dropped"].get("rejected"))
    assert shop.ledger["dropped"] == {"rejected": 2}
    assert collector.received[-1].batch["ledger"]["dropped"] == {"rejected": 2}
    assert 'It says: "`status` is odd"' in caplog.text


def test_too_large_a_batch_is_halved(collector: Collector, shop: Shop) -> None:
    def reply(received: Received) -> Reply:
        size = len(received.batch["requests"]["start_us"])
        return ACCEPTED if size <= 3 else (413, {}, b"{}")

    collector.reply = reply
    shop.visit(10)
    collector.wait_for(lambda: len(collector.requests) == 10)
    assert sorted(paths(collector)) == sorted(expected(shop))
    numbers = [number for _, number in collector.accepted]
    assert numbers == sorted(numbers)
    shop.pc.stop(shop.app, 30)
    assert collector.received[-1].batch["ledger"] == {"seen": 10, "sent": 10, "dropped": {}}


def test_a_single_request_that_is_too_large_is_rejected(collector: Collector, shop: Shop) -> None:
    collector.reply = scripted((413, {}, b"{}"))
    shop.visit()
    collector.wait_for(lambda: shop.ledger["dropped"] == {"rejected": 1})
    collector.wait_for(lambda: len(collector.received) == 2)
    told = collector.received[-1].batch
    assert told["ledger"] == {"seen": 1, "sent": 0, "dropped": {"rejected": 1}}
    assert rows(told) == []


def test_ignored_and_vetoed_requests_are_counted_and_told(collector: Collector) -> None:
    shop = Shop(collector, METRIC_IGNORE=["/1", "POST /2", "get /3*"])
    shop.pc.edit(lambda draft: None if draft.path == "/4" else draft)
    shop.visit(5)
    collector.wait_for(lambda: len(collector.requests) == 2)
    assert paths(collector) == ["/2", "/5"]
    shop.pc.stop(shop.app, 30)
    assert collector.received[-1].batch["ledger"] == {
        "seen": 5,
        "sent": 2,
        "dropped": {"ignored": 2, "vetoed": 1},
    }


def test_only_ignored_requests_are_told_too(collector: Collector) -> None:
    shop = Shop(collector, METRIC_IGNORE=["*"])
    shop.visit(2)
    collector.wait_for(lambda: collector.received)
    assert collector.received[-1].batch["ledger"] == {
        "seen": 2,
        "sent": 0,
        "dropped": {"ignored": 2},
    }
    shop.pc.stop(shop.app, 30)


def test_the_edit_hook_changes_what_is_sent(collector: Collector) -> None:
    shop = Shop(collector)

    @shop.pc.edit
    def scrub(draft: Draft) -> Draft:
        draft.path, draft.consumer, draft.route = "/ümlaut", "hidden", "/edited"
        return draft

    shop.visit()
    collector.wait_for(lambda: collector.requests)
    (request,) = collector.requests
    assert (request.path, request.consumer, request.route) == ("/ümlaut", "hidden", "/edited")
    shop.pc.stop(shop.app, 30)


def test_an_edit_hook_that_raises_sends_nothing(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(collector)

    @shop.pc.edit
    def scrub(draft: Draft) -> Draft:
        raise LookupError

    shop.visit(3)
    collector.wait_for(lambda: shop.ledger["dropped"] == {"error": 3})
    assert collector.requests == []
    assert caplog.text.count("the edit hook raised") == 1
    shop.pc.stop(shop.app, 30)


def test_what_does_not_fit_is_counted_and_told_when_the_platform_is_back(
    collector: Collector,
) -> None:
    away = True
    collector.reply = lambda _: (500, {}, b"") if away else ACCEPTED
    shop = Shop(collector, METRIC_BUFFER=100)
    shop.visit(50)
    collector.wait_for(lambda: collector.received)
    shop.visit(500)
    collector.wait_for(lambda: shop.ledger["seen"] == 550)
    assert 100 <= 550 - shop.ledger["dropped"]["buffer_full"] <= 200
    away = False
    collector.wait_for(
        lambda: len(collector.requests) == 550 - shop.ledger["dropped"]["buffer_full"]
    )
    shop.pc.stop(shop.app, 30)
    told = collector.received[-1].batch["ledger"]
    assert told["seen"] == 550
    assert told["sent"] == len(collector.requests)
    assert told["seen"] == told["sent"] + told["dropped"]["buffer_full"]
    # What was kept is the oldest, without a gap before the edge.
    assert paths(collector)[:100] == expected(shop)[:100]


def test_the_log_has_one_line_a_change(
    collector: Collector, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shop.visit()
    collector.wait_for(lambda: collector.requests)
    collector.reply = scripted(*[(500, {}, b"")] * 4)
    shop.visit()
    collector.wait_for(lambda: len(collector.requests) == 2)
    collector.wait_for(lambda: len(caplog.records) == 2)
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "WARNING"]  # gunicorn shows nothing below
    host = f"the platform at 127.0.0.1:{collector.port}"
    assert f"{host} answers 500." in caplog.messages[0]
    assert f"{host} takes batches again." in caplog.messages[1]


def test_a_batch_is_bounded(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_module, "MOST_ROWS", 100)
    monkeypatch.setattr(sender_module, "SLICE", 10)
    shop = Shop(collector)
    collector.reply = scripted((500, {}, b""), (500, {}, b""))
    shop.visit(550)
    collector.wait_for(lambda: len(collector.requests) == 550)
    sizes = [len(batch["requests"]["start_us"]) for batch in collector.accepted.values()]
    assert max(sizes) <= 109
    assert paths(collector) == expected(shop)
    shop.pc.stop(shop.app, 30)


def test_a_body_is_a_plain_gzip_file_of_json(collector: Collector, shop: Shop) -> None:
    shop.visit()
    collector.wait_for(lambda: collector.received)
    body = collector.received[0].body
    assert body[:2] == b"\x1f\x8b"
    assert json.loads(zlib.decompress(body, wbits=31)) == collector.received[0].batch


@pytest.mark.slow
def test_one_thread_at_full_speed_loses_nothing(collector: Collector) -> None:
    """In a process of its own: the collector must not fight with it for the interpreter. What is
    let pass is for a machine that does not give the collector its turn for half a second."""
    script = """
        import sys, time
        from flask import Flask
        from werkzeug.test import EnvironBuilder
        from flask_performance import PerformanceCollector

        app = Flask("shop")
        app.add_url_rule("/<int:number>", "page", lambda number: str(number))
        app.config.update(METRIC_DSN=sys.argv[1], METRIC_TIMEOUT=10)
        pc = PerformanceCollector(app)
        environ = EnvironBuilder("/7").get_environ()
        calls, end = 0, time.monotonic() + 4
        while time.monotonic() < end:
            body = app(environ.copy(), lambda *_: None)
            list(body)
            body.close()
            calls += 1
        pc.stop(app, 30)
        print(calls)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), collector.dsn],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    calls = int(done.stdout)
    ledger = collector.received[-1].batch["ledger"]
    dropped = sum(ledger["dropped"].values())
    assert ledger["seen"] == ledger["sent"] + dropped == calls
    assert sum(len(batch["requests"]["start_us"]) for batch in collector.accepted.values()) == (
        calls - dropped
    )
    assert dropped <= 0.02 * calls
