"""The routes that an app declares: told once an instance, again when they changed, and bounded."""

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import Rule
from werkzeug.test import Client

from flask_performance import routes as routes_module
from flask_performance.routes import bounded
from flask_performance.wire import MAX_RULES, Batch

from .conftest import Install


def shop() -> Flask:
    app = Flask("shop")
    app.add_url_rule("/", "home", lambda: "")
    app.add_url_rule("/orders", "order", lambda: "", methods=["POST", "GET"])
    app.add_url_rule("/orders", "options", lambda: "", methods=["OPTIONS"])
    app.add_url_rule("/head", "head", lambda: "", methods=["HEAD"])
    app.url_map.add(Rule("/never", endpoint="never", build_only=True))
    app.url_map.add(Rule("/any", endpoint="any"))
    return app


def told(batches: list[Batch]) -> list[Any]:
    """Of each batch: the rules that it declares, or None."""
    return [
        {(rule["rule"], *rule["methods"]) for rule in batch["routes"]["rules"]}
        if "routes" in batch
        else None
        for batch in batches
    ]


def test_the_first_batch_declares_all_routes(install: Install) -> None:
    installed = install(shop())
    for _ in range(3):
        installed.app.test_client().get("/")
        assert installed.requests
    first, *others = told(installed.transport.batches)
    assert first == {
        ("/", "GET"), ("/orders", "GET", "POST"), ("/orders", "OPTIONS"), ("/head", "HEAD"),
        ("/any",), ("/static/<path:filename>", "GET"),
    }  # fmt: skip
    assert others == [None] * len(others)
    assert others
    declared = installed.transport.batches[0]["routes"]
    assert declared["app"] == "shop"
    assert {rule["endpoint"] for rule in declared["rules"]} >= {"order", "static"}


def test_routes_that_came_later_are_declared_too(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes_module, "EVERY", 0.0)
    installed = install(shop())
    installed.app.test_client().get("/")
    assert installed.requests
    installed.app.url_map.add(Rule("/late", endpoint="home"))
    for _ in range(2):
        installed.app.test_client().get("/late")
        assert installed.requests
    first, second, third = told(installed.transport.batches)
    assert second == first | {("/late",)}
    assert third is None


def test_apps_in_one_process_declare_their_own(install: Install) -> None:
    front, back = install(shop()), install(Flask("backoffice", static_folder=None))
    back.app.add_url_rule("/report", "report", lambda: "")
    client = Client(DispatcherMiddleware(front.app.wsgi_app, {"/backoffice": back.app.wsgi_app}))
    client.get("/")
    client.get("/backoffice/report")
    assert [request.route for request in front.requests + back.requests] == ["/", "/report"]
    one, two = front.transport.batches[0], back.transport.batches[0]
    assert (one["routes"]["app"], two["routes"]["app"]) == ("shop", "backoffice")
    assert told([two]) == [{("/report", "GET")}]
    assert one["instance"]["id"] != two["instance"]["id"]
    assert one["instance"]["pid"] == two["instance"]["pid"] == os.getpid()


def test_too_many_routes_are_cut_and_said(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    app = shop()
    for number in range(MAX_RULES):
        app.url_map.add(Rule(f"/{number}", endpoint="home"))
    installed = install(app)
    app.test_client().get("/")
    assert installed.only().route == "/"
    assert len(installed.transport.batches[0]["routes"]["rules"]) == MAX_RULES
    said = [record for record in caplog.records if "routes" in record.message]
    assert [record.levelno for record in said] == [logging.WARNING]


def test_long_rules_are_bounded_by_their_text() -> None:
    rules = [Rule("/" + 100_000 * "a", endpoint="a", methods=["GET"]) for _ in range(5)]
    assert len(list(bounded(rules))) == 2


def test_a_url_map_that_cannot_be_read_costs_no_request(
    install: Install, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed = install(shop())

    def broken() -> Iterator[Rule]:
        raise RuntimeError("no rules today")

    monkeypatch.setattr(installed.app.url_map, "iter_rules", broken)
    installed.app.test_client().get("/")
    assert installed.only().route == "/"
    assert told(installed.transport.batches) == [None]
    assert "cannot list the app's routes" in caplog.text
