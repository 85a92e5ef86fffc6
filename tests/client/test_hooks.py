"""Whatever a hook does or a text holds: every other request arrives, and the platform can read the
batch that carries it."""

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from flask import Flask
from werkzeug.local import LocalProxy

from flask_performance import PerformanceCollector
from flask_performance.rules import Draft
from flask_performance.server.payload import decode, unpack
from flask_performance.testing import RecordedRequest, rows

from .stub import ACCEPTED, Collector, Received, Reply


def as_the_platform_reads(received: Received) -> Reply:
    """The platform's own reader judges: PayloadError hangs up."""
    decode(unpack(received.body))
    return ACCEPTED


class Shop:
    """An app with hooks that sends to a collector which refuses what the platform refuses."""

    def __init__(self, collector: Collector, **config: object) -> None:
        collector.reply = as_the_platform_reads
        self._collector = collector
        self.app = Flask("shop")
        usual = {"METRIC_DSN": collector.dsn, "METRIC_INTERVAL": 0.02, "METRIC_TIMEOUT": 30}
        self.app.config.update(usual, **config)
        self.app.add_url_rule("/<path:name>", "page", lambda name: name)
        self.pc = PerformanceCollector(self.app)

    def visit(self, *paths: str, **environ: Any) -> None:
        client = self.app.test_client()
        for path in paths:
            assert client.get(path, environ_overrides=environ).status_code == 200

    def settle(self, **dropped: int) -> list[RecordedRequest]:
        """What has arrived at the end, after a check of the ledger."""
        self.pc.stop(self.app, 30)
        last = self._collector.received[-1].batch
        assert last["final"] is True
        sent = len(self._collector.requests)
        seen = sent + sum(dropped.values())
        expected: Any = {"seen": seen, "sent": sent, "dropped": dropped}
        assert last["ledger"] == expected
        return self._collector.requests


@pytest.fixture
def shop(collector: Collector) -> Iterator[Shop]:
    shop = Shop(collector)
    yield shop
    shop.pc.stop(shop.app, 30)


def setting(**values: Any) -> Callable[[Draft], Any]:
    def edit(draft: Draft) -> Draft:
        for name, value in values.items():
            setattr(draft, name, value)
        return draft

    return edit


def raising(error: BaseException) -> Callable[[Draft], Any]:
    def edit(draft: Draft) -> Draft:
        raise error

    return edit


class Unspeakable:
    def __str__(self) -> str:
        raise LookupError("no words")


@pytest.mark.parametrize(
    "edit",
    [
        setting(method=None),
        setting(method=7),
        setting(path=None),
        setting(path=b"/bytes"),
        setting(route=["/list"]),
        setting(route=10**30),
        setting(endpoint=-1),
        setting(exception={"kind": "ValueError"}),
        setting(consumer=Unspeakable()),
        setting(consumer=10**5000),  # more digits than `str` makes
        raising(LookupError()),
        raising(SystemExit(3)),
        raising(KeyboardInterrupt()),
        lambda _: True,
        lambda _: {"path": "/"},
    ],
)
def test_an_edit_hook_that_goes_wrong_costs_that_record_and_no_other(
    shop: Shop, caplog: pytest.LogCaptureFixture, edit: Callable[[Draft], Any]
) -> None:
    shop.pc.edit(lambda draft: edit(draft) if draft.path == "/bad" else draft)
    shop.visit("/before", "/bad", "/after", "/bad")
    assert [request.path for request in shop.settle(error=2)] == ["/before", "/after"]
    assert caplog.text.count("the edit hook raised, or its draft cannot be sent") == 1


@pytest.mark.parametrize(
    ("changes", "arrived"),
    [
        ({"exception": ValueError("secret")}, {"exception": "ValueError"}),
        ({"consumer": 10**30}, {"consumer": str(10**30)}),
        ({"consumer": -1}, {"consumer": "-1"}),
        ({"consumer": "x" * 1000}, {"consumer": "x" * 128}),
        ({"route": None, "endpoint": None}, {"route": "", "endpoint": None}),
        ({"status": 10**30, "duration_us": -5, "outcome": None}, {"status": 200}),
        (
            dict.fromkeys(
                ("method", "path", "route", "endpoint", "exception", "consumer"), "\ud800"
            ),
            dict.fromkeys(("method", "path", "route", "endpoint", "exception", "consumer"), "?"),
        ),
    ],
)
def test_what_an_edit_hook_sets_is_made_fit_to_be_sent(
    shop: Shop, changes: dict[str, Any], arrived: dict[str, Any]
) -> None:
    shop.pc.edit(setting(**changes))
    shop.visit("/one")
    (request,) = shop.settle()
    assert {name: getattr(request, name) for name in arrived} == arrived


@pytest.mark.parametrize(
    ("consumer", "arrived"),
    [
        (Unspeakable(), None),
        ("half an emoji \ud83d", "half an emoji ?"),
        (7, "7"),
        ("y" * 1000, "y" * 128),
        (LocalProxy(lambda: flask.request.path), "/one"),  # as `current_user`, bound to a context
    ],
    ids=["no words", "surrogate", "number", "long", "proxy"],
)
def test_whatever_names_the_consumer_hurts_nobody(
    shop: Shop, caplog: pytest.LogCaptureFixture, consumer: Any, arrived: str | None
) -> None:
    shop.pc.consumer(lambda: consumer if flask.request.path == "/one" else "ada")
    shop.visit("/one", "/two", "/one")
    assert [request.consumer for request in shop.settle()] == [arrived, "ada", arrived]
    assert caplog.text.count("the consumer hook raised") == (arrived is None)


def test_surrogates_from_outside_are_replaced(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_ENV", "st\udcffaging")
    shop = Shop(collector, METRIC_RELEASE="1\ud800", METRIC_HOST="web\udfff")
    shop.app.add_url_rule("/lone/", "lone\ud800", lambda: "lone")
    shop.visit("/lone/")
    client = shop.app.test_client()
    client.open("/two", method="G\ud800")
    client.get("/", environ_overrides={"PATH_INFO": "/nowhere\xed\xa0\x80"})  # as WSGI has it
    first, second, third = shop.settle()
    assert first.endpoint == "lone?"
    assert second.method == "G?"
    assert third.path.startswith("/nowhere\ufffd")
    instance = collector.received[-1].batch["instance"]
    assert (instance["environment"], instance["release"]) == ("st?aging", "1?")
    assert instance["host"] == "web?"


def test_a_record_that_cannot_be_encoded_costs_no_other(
    shop: Shop, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    # A server that breaks WSGI: a header's value is no text.
    shop.visit("/before", "/after")
    shop.visit("/odd", "/odd", HTTP_TRACEPARENT=7)
    shop.visit("/last")
    paths = [request.path for request in shop.settle(error=2)]
    assert paths == ["/before", "/after", "/last"]
    assert caplog.text.count("a request cannot be sent") == 1
    for received in collector.received:
        batch = json.loads(zlib.decompress(received.body, wbits=31))
        assert len(rows(batch)) == len(batch["requests"]["start_us"])
