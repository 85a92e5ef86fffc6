"""METRIC_* keys: where they are read from, and what is refused with which words."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_performance import ConfigError, PerformanceCollector
from flask_performance.config import DSN_FORM, KEYS, Options, unknown_keys

from .stub import KEY

DSN = f"https://metrics.example.com/v1/collector/{KEY}"


@pytest.mark.parametrize(
    "dsn",
    [
        DSN,
        f"http://127.0.0.1:8000/v1/collector/{KEY}",
        f"https://[::1]:8443/v1/collector/{KEY.upper()}",
        f"https://example.com/behind/a/proxy/v1/collector/{KEY}",
        f"  {DSN}\n",
    ],
)
def test_right_dsns(dsn: str) -> None:
    assert Options.read({"METRIC_DSN": dsn}, {}).dsn == dsn.strip()


@pytest.mark.parametrize(
    ("dsn", "fault"),
    [
        ("metrics.example.com/v1/collector/" + KEY, "does not start with https://"),
        ("ftp://metrics.example.com/v1/collector/" + KEY, "does not start with https://"),
        ("https:///v1/collector/" + KEY, "names no host"),
        ("https://[::1/v1/collector/" + KEY, "no IPv6 address within [ and ]"),
        ("https://[::g]/v1/collector/" + KEY, "no IPv6 address within [ and ]"),
        ("https://a..b/v1/collector/" + KEY, "its host has an empty part"),
        (f"https://{'a' * 64}.com/v1/collector/" + KEY, "more than 63 characters"),
        ("https://bücher.example/v1/collector/" + KEY, "it contains 'ü'"),
        ("https://example.com/bücher/v1/collector/" + KEY, "it contains 'ü'"),
        ("https://example.com\x00/v1/collector/" + KEY, "it contains '\\x00'"),
        ("https://example.com:0/v1/collector/" + KEY, "port is not a number from 1"),
        ("https://metrics.example.com:port/v1/collector/" + KEY, "port"),
        ("https://metrics.example.com/" + KEY, "path is not /v1/collector/"),
        ("https://metrics.example.com/v1/collector/" + KEY[:-1], "32 hex digits"),
        ("https://metrics.example.com/v1/collector/" + KEY[:-1] + "g", "32 hex digits"),
        (DSN + "?a=1", "goes on after the key"),
        ("https://metrics example.com/v1/collector/" + KEY, "contains a space"),
        (12, "is of type int"),
    ],
)
def test_a_malformed_dsn_stops_the_start(dsn: Any, fault: str) -> None:
    app = Flask("shop")
    app.config["METRIC_DSN"] = dsn
    with pytest.raises(ConfigError) as caught:
        PerformanceCollector(app)
    message = str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert "METRIC_DSN in app.config" in message
    assert fault in message
    assert DSN_FORM in message


def test_the_app_wins_over_the_environment_over_the_default() -> None:
    environ = {"METRIC_DSN": DSN, "METRIC_BUFFER": "500", "METRIC_TIMEOUT": "2"}
    options = Options.read({"METRIC_BUFFER": 700, "METRIC_DSN": None}, environ)
    assert (options.dsn, options.buffer, options.timeout) == (DSN, 700, 2.0)
    assert options.interval == 0.1


def test_flasks_own_prefix_reaches_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_METRIC_DSN", DSN)
    monkeypatch.setenv("FLASK_METRIC_ENABLED", "false")
    app = Flask("shop")
    app.config.from_prefixed_env()
    options = Options.read(app.config, {})
    assert (options.dsn, options.enabled) == (DSN, False)


def test_a_config_file_reaches_us(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(f"METRIC_DSN = {DSN!r}\nMETRIC_IGNORE = ['/health']\n")
    app = Flask("shop", root_path=str(tmp_path))
    app.config.from_pyfile("config.py")
    options = Options.read(app.config, {})
    assert (options.dsn, options.ignore) == (DSN, ("/health",))


@pytest.mark.parametrize("empty", ["", "   ", "\n"])
def test_a_blank_dsn_is_none(empty: str) -> None:
    assert Options.read({"METRIC_DSN": empty}, {}).dsn is None
    assert Options.read({"METRIC_DSN": empty}, {"METRIC_DSN": DSN}).dsn == DSN
    assert Options.read({}, {"METRIC_DSN": empty}).dsn is None


@pytest.mark.parametrize("key", ["METRIC_RELEASE", "METRIC_ENVIRONMENT", "METRIC_HOST"])
@pytest.mark.parametrize("written", ["1.10", "12e4567", "NaN", "true"])
def test_a_text_that_flask_reads_as_a_number_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, key: str, written: str
) -> None:
    app = Flask("shop")
    monkeypatch.setenv(f"FLASK_{key}", written)
    app.config.from_prefixed_env()
    with pytest.raises(ConfigError, match="quote it") as caught:
        Options.read(app.config, {})
    assert f"FLASK_{key}='\"1.10\"'" in str(caught.value)
    monkeypatch.setenv(f"FLASK_{key}", f'"{written}"')  # as the remedy says
    app.config.from_prefixed_env()
    options = Options.read(app.config, {})
    assert getattr(options, key.removeprefix("METRIC_").lower()) == written


def test_texts_that_lose_nothing_need_no_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    for written in ("20261122", "007", "1.2.3", "9f3c2ab"):
        app = Flask("shop")
        monkeypatch.setenv("FLASK_METRIC_RELEASE", written)
        app.config.from_prefixed_env()
        assert Options.read(app.config, {}).release == written
    assert Options.read({}, {"METRIC_RELEASE": "1.10"}).release == "1.10"


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("METRIC_ENABLED", "maybe", "neither true nor false"),
        ("METRIC_ENVIRONMENT", ["production"], "is of type list"),
        ("METRIC_RELEASE", "r" * 201, "longer than 200"),
        ("METRIC_IGNORE", 7, "is of type int"),
        ("METRIC_IGNORE", ["/health", None], "contains None"),
        ("METRIC_BUFFER", "many", "is not a number"),
        ("METRIC_BUFFER", 3, "is not between 100 and"),
        ("METRIC_BUFFER", 500.5, "is not a whole number"),
        ("METRIC_BUFFER", True, "is not a number"),
        ("METRIC_SPOOL", __file__, "is a file"),
        ("METRIC_SPOOL", 7, "is of type int"),
        ("METRIC_SPOOL", "x" * 300, "name too long"),
        ("METRIC_SPOOL_SIZE", 0, "is not between 1 and"),
        ("METRIC_TIMEOUT", 0, "is not between 0.05 and 60"),
        ("METRIC_TIMEOUT", "nan", "is not between 0.05 and 60"),
        ("METRIC_INTERVAL", -1, "is not between 0.01 and 60"),
        ("METRIC_CPU", -1, "is not between 0 and"),
    ],
)
def test_wrong_values_are_refused_with_the_remedy(key: str, value: Any, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Options.read({key: value}, {})
    message = str(caught.value)
    assert message.startswith(f"{key} in app.config is {value!r}")
    assert fault in message
    form = next(row.form for row in KEYS if row.name == key)
    assert form in message


def test_a_spool_that_may_not_be_written_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # tests may run as root, who may everything
    with pytest.raises(ConfigError, match=f"may not write to {tmp_path}"):
        Options.read({"METRIC_SPOOL": tmp_path / "not" / "yet"}, {})


def test_a_wrong_value_in_the_environment_says_so() -> None:
    with pytest.raises(ConfigError, match="METRIC_ENABLED in the environment is 'perhaps'"):
        Options.read({}, {"METRIC_ENABLED": "perhaps"})


def test_lists_in_the_environment() -> None:
    options = Options.read({}, {"METRIC_IGNORE": "/health, GET /static/* ,"})
    assert options.ignore == ("/health", "GET /static/*")


def test_defaults_of_the_table_and_of_the_options_agree() -> None:
    assert Options.read({}, {}) == Options()
    assert len(KEYS) <= 15


def test_unknown_keys_are_named(caplog: pytest.LogCaptureFixture) -> None:
    assert unknown_keys({"METRIC_DNS": 1, "METRIC_DSN": 2, "OTHER": 3}) == ["METRIC_DNS"]
    app = Flask("shop")
    app.config["METRIC_DNS"] = DSN
    PerformanceCollector(app)
    assert "METRIC_DNS in app.config is no key" in caplog.text


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_is_documented(key: Any) -> None:
    text = (Path(__file__).parents[2] / "docs" / "extension.md").read_text()
    row = next((line for line in text.splitlines() if line.startswith(f"| `{key.name}`")), None)
    assert row is not None, f"docs/extension.md has no row for {key.name}"
    assert key.meaning in row
