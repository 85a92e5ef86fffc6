"""`flask performance doctor`, as a person runs it."""

import time
from pathlib import Path

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance import doctor as doctor_module
from flask_performance.doctor import PROBE
from tests.support.waiting import free_port

from .proxy import running_proxy
from .stub import ACCEPTED, KEY, Collector, Received, Reply


def app_with(**config: object) -> Flask:
    app = Flask("shop")
    app.config.update(config)
    PerformanceCollector(app)
    return app


def doctor(app: Flask) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["performance", "doctor"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_all_is_well(collector: Collector, tmp_path: Path) -> None:
    app = app_with(METRIC_DSN=collector.dsn, METRIC_SPOOL=str(tmp_path), METRIC_RELEASE="7")
    code, output = doctor(app)
    assert code == 0, output
    assert "wrong" not in output
    for words in ("sends to http://127.0.0.1", "release 7", "outermost", "METRIC_SPOOL holds 0",
                  "it arrived", "clock agrees"):  # fmt: skip
        assert words in output
    (request,) = collector.requests
    assert (request.route, request.status) == (PROBE, 200)


def test_no_dsn() -> None:
    code, output = doctor(app_with())
    assert code == 1
    assert "METRIC_DSN is not set" in output


def test_switched_off(collector: Collector) -> None:
    code, output = doctor(app_with(METRIC_DSN=collector.dsn, METRIC_ENABLED=False))
    assert code == 1
    assert "METRIC_ENABLED is false" in output


def test_an_unknown_key(collector: Collector) -> None:
    collector.reply = lambda _: (401, {}, b'{"error": "No project has this key."}')
    code, output = doctor(app_with(METRIC_DSN=collector.dsn))
    assert code == 1
    assert "answered 401" in output
    assert "Copy the DSN from the project's set-up page again" in output


@pytest.mark.parametrize(("host", "words"), [
    ("127.0.0.1:{port}", "gives no answer"),
    ("nowhere.invalid", "cannot be resolved"),
])  # fmt: skip
def test_an_unreachable_platform(host: str, words: str) -> None:
    dsn = f"http://{host.format(port=free_port())}/v1/collector/{KEY}"
    code, output = doctor(app_with(METRIC_DSN=dsn))
    assert code == 1
    assert words in output


def test_a_wrong_clock(collector: Collector) -> None:
    date = {"Date": "Sun, 22 Nov 2020 10:00:00 GMT"}
    collector.reply = lambda _: (202, date, b"{}")
    code, output = doctor(app_with(METRIC_DSN=collector.dsn))
    assert code == 1
    assert "ahead of the platform's" in output


def test_middleware_around_us(collector: Collector) -> None:
    app = app_with(METRIC_DSN=collector.dsn)
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start: inner(environ, start)  # type: ignore[method-assign,assignment]
    code, output = doctor(app)
    assert code == 0
    assert "Call init_app last" in output


def test_a_proxy_on_the_way(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_proxy(collector.port) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        code, output = doctor(app_with(METRIC_DSN=f"http://platform.invalid/v1/collector/{KEY}"))
    assert code == 0, output
    assert f"The way leads through the proxy at 127.0.0.1:{proxy.port}." in output
    assert "it arrived" in output


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://proxy.invalid:3128", "The name proxy.invalid cannot be resolved"),
        ("socks5://127.0.0.1:1080", "http_proxy in the environment is no proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, url: str, words: str) -> None:
    monkeypatch.setenv("http_proxy", url)
    code, output = doctor(app_with(METRIC_DSN=f"http://platform.invalid/v1/collector/{KEY}"))
    assert code == 1
    assert words.lower() in output.lower()


def test_an_answer_that_takes_longer_than_a_batch_would_wait(collector: Collector) -> None:
    def slow(_: Received) -> Reply:
        time.sleep(0.1)
        return ACCEPTED

    collector.reply = slow
    code, output = doctor(app_with(METRIC_DSN=collector.dsn, METRIC_TIMEOUT=0.05))
    assert code == 0
    assert "longer than METRIC_TIMEOUT (0.05 s)" in output


def test_a_clock_that_says_nothing_readable(collector: Collector) -> None:
    collector.reply = lambda _: (202, {"Date": "soon"}, b"{}")
    code, output = doctor(app_with(METRIC_DSN=collector.dsn))
    assert code == 0
    assert "clock" not in output


def test_a_spool_that_cannot_be_made(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: True)
    app = app_with(METRIC_DSN=collector.dsn, METRIC_SPOOL="/proc/flask-performance")
    code, output = doctor(app)
    assert code == 1
    assert "METRIC_SPOOL cannot be used" in output


def test_a_value_that_has_become_wrong(collector: Collector, tmp_path: Path) -> None:
    app = app_with(METRIC_DSN=collector.dsn, METRIC_SPOOL=str(tmp_path / "spool"))
    (tmp_path / "spool").write_text("in the way since")
    code, output = doctor(app)
    assert code == 1
    assert "wrong  METRIC_SPOOL in app.config" in output
    assert "it is a file, not a folder" in output


def test_gevent_is_named(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "shares_threads", lambda: True)
    assert "the sender is a greenlet" in doctor(app_with(METRIC_DSN=collector.dsn))[1]


def test_the_command_explains_itself(collector: Collector) -> None:
    app = app_with(METRIC_DSN=collector.dsn)
    result = app.test_cli_runner().invoke(args=["performance", "--help"])
    assert result.exit_code == 0
    assert "doctor" in result.output
