"""Installing: all the forms that the README of 2019 shows, off states, and the public surface."""

import logging
import subprocess
import sys
import threading

import pytest
from flask import Flask

import flask_performance
from flask_performance import PerformanceCollector
from flask_performance.testing import MemoryTransport

from .stub import Collector


def hello(name: str = "shop") -> Flask:
    app = Flask(name)
    app.add_url_rule("/", view_func=lambda: "hello", endpoint="hello")
    return app


def test_the_public_surface() -> None:
    assert sorted(flask_performance.__all__) == [
        "ConfigError",
        "PerformanceCollector",
        "__version__",
    ]
    members = [name for name in vars(PerformanceCollector) if not name.startswith("_")]
    assert sorted(members) == ["consumer", "edit", "flush", "init_app", "ledger", "stop"]


def test_with_the_app(collector: Collector) -> None:
    app = hello()
    app.config["METRIC_DSN"] = collector.dsn
    pc = PerformanceCollector(app)
    app.test_client().get("/")
    collector.wait_for(lambda: collector.requests)
    pc.stop(app, 30)
    assert [request.route for request in collector.requests] == ["/"]


def test_with_a_factory(collector: Collector) -> None:
    pc = PerformanceCollector()
    app = hello()
    app.config["METRIC_DSN"] = collector.dsn
    pc.init_app(app)
    app.test_client().get("/")
    collector.wait_for(lambda: collector.requests)
    pc.stop(app, 30)


def test_with_the_environment_alone(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRIC_DSN", collector.dsn)
    app = hello()
    pc = PerformanceCollector(app)
    app.test_client().get("/")
    collector.wait_for(lambda: collector.requests)
    pc.stop(app, 30)


def test_without_a_dsn_it_is_off_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app = hello()
    plain = app.wsgi_app
    pc = PerformanceCollector(app)
    assert app.wsgi_app == plain
    for _ in range(3):
        assert app.test_client().get("/").data == b"hello"
    lines = [record.message for record in caplog.records if record.name == "flask_performance"]
    assert len(lines) == 1
    assert "METRIC_DSN" in lines[0]
    assert pc.flush(app, 30)
    assert pc.ledger(app) == {"seen": 0, "sent": 0, "dropped": {}}
    pc.stop(app)


def test_the_kill_switch(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("METRIC_ENABLED", "0")
    app = hello()
    app.config["METRIC_DSN"] = collector.dsn
    plain = app.wsgi_app
    PerformanceCollector(app)
    assert app.wsgi_app == plain
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "METRIC_ENABLED is false" in record.message


def test_a_second_installation_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app, transport = hello(), MemoryTransport()
    pc = PerformanceCollector(app, transport=transport)
    pc.init_app(app)
    PerformanceCollector(app, transport=transport)
    app.test_client().get("/")
    assert pc.flush(app, 30)
    assert len(transport.requests) == 1
    assert "installed on 'shop' already" in caplog.text
    pc.stop(app, 30)


def test_no_app_is_an_error_with_the_remedy() -> None:
    with pytest.raises(TypeError, match=r"init_app\(app\)"):
        PerformanceCollector().init_app(None)  # type: ignore[arg-type]


def test_nothing_starts_before_the_first_request(collector: Collector) -> None:
    before = set(threading.enumerate())
    app = hello()
    app.config["METRIC_DSN"] = collector.dsn
    pc = PerformanceCollector(app)
    assert set(threading.enumerate()) == before
    assert collector.received == []
    app.test_client().get("/")
    started = set(threading.enumerate()) - before
    # By the thread itself: an earlier test's may end only now, and has the same name.
    [ours] = [thread for thread in started if thread.name == "flask-performance"]
    pc.stop(app, 30)
    ours.join(timeout=30)
    assert not ours.is_alive()


def test_importing_starts_nothing_and_brings_no_platform() -> None:
    script = (
        "import sys, threading, flask; before = set(sys.modules); import flask_performance\n"
        "assert threading.active_count() == 1\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "foreign = new - set(sys.stdlib_module_names) - {'flask_performance'}\n"
        "assert not foreign, foreign\n"
        "assert not any(name.startswith('flask_performance.server') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_consumer_hook_names_who_called() -> None:
    app, transport = hello(), MemoryTransport()
    pc = PerformanceCollector(app, transport=transport)

    @pc.consumer
    def who() -> str | None:
        import flask

        return flask.request.headers.get("X-User")

    app.test_client().get("/", headers={"X-User": "ada"})
    app.test_client().get("/")
    assert pc.flush(app, 30)
    assert [request.consumer for request in transport.requests] == ["ada", None]
    pc.stop(app, 30)


def test_a_consumer_hook_that_raises_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    app, transport = hello(), MemoryTransport()
    pc = PerformanceCollector(app, transport=transport)

    @pc.consumer
    def who() -> str:
        raise LookupError

    assert app.test_client().get("/").data == b"hello"
    assert pc.flush(app, 30)
    assert transport.requests[0].consumer is None
    assert "consumer hook raised" in caplog.text
    pc.stop(app, 30)
