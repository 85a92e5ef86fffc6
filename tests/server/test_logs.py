"""The log: one line an event, by text or JSON, without secrets and without floods."""

import ast
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flask_performance.server
from flask_performance.server.logs import (
    FOR_THE_OPERATOR,
    MOST_EQUAL,
    MOST_KINDS,
    RESERVED,
    TEXT,
    WINDOW,
    JsonLine,
    Lines,
    TextLine,
)
from tests.support.platform import environment, running_platform

SERVER = Path(flask_performance.server.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


class Log:
    """A logger of its own and what it wrote; the clock stands."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.now = 1000.0
        self.stream = io.StringIO()
        self.handler = Lines(self.stream, lambda: self.now)
        self.handler.setFormatter(formatter)
        self.logger = logging.Logger("flask_performance.test")  # noqa: LOG001 -- nobody else writes to it
        self.logger.addHandler(self.handler)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def text() -> Log:
    return Log(TextLine(TEXT))


@pytest.fixture
def as_json() -> Log:
    return Log(JsonLine())


def fail(log: Log, words: str) -> None:
    try:
        raise RuntimeError(words)  # noqa: TRY301
    except RuntimeError:
        log.logger.exception("It failed")


def test_an_event_has_its_values_as_members(as_json: Log) -> None:
    as_json.logger.warning(
        "%(person)s has %(count)d", {"person": "Ada", "count": 3, "path": Path("/x")}
    )
    (line,) = as_json.objects()
    assert line["event"] == "%(person)s has %(count)d"
    assert line["message"] == "Ada has 3"
    assert (line["person"], line["count"], line["path"]) == ("Ada", 3, "/x")
    assert (line["level"], line["logger"]) == ("warning", "flask_performance.test")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])


def test_what_libraries_say_is_an_event_too(as_json: Log) -> None:
    as_json.logger.warning("%s of %d", "one", 2)
    assert as_json.objects()[0]["message"] == "one of 2"


def test_a_traceback_is_within_the_line(as_json: Log) -> None:
    fail(as_json, "in vain")
    (line,) = as_json.objects()
    assert "RuntimeError: in vain" in line["traceback"]
    assert line["message"] == "It failed"


def test_text_of_strangers_makes_no_second_line(text: Log) -> None:
    text.logger.warning("Sent to %(person)s", {"person": "a\n2026-01-01 ERROR forged\r\x85"})
    assert len(text.lines()) == 1
    assert r"a\n2026" in text.lines()[0]


SECRETS = [
    "fp_kZ3v9x2bQ1mN8sT4uW7yA0cE5gI6kM",
    "https://metrics.example.com/v1/collector/0123456789abcdef0123456789ABCDEF",
    "/reset/WyJhYmMiXQ.Zx-9_kL0aB12345",
    "/invitations/0123456789abcdefgh",
    "http://h/signup?first=abcdefghijkl",
    "/login/sso/callback?state=x&code=abcdefgh123",
    "smtp://mailer:pass%40word@mail.example.com",
    "Authorization: Bearer abcdefghijk",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("kind", ["text", "as_json"])
def test_no_line_holds_a_secret(kind: str, secret: str, request: pytest.FixtureRequest) -> None:
    log: Log = request.getfixturevalue(kind)
    log.logger.warning("It was %(what)s", {"what": secret})
    log.logger.warning("It was %s", secret)
    fail(log, secret)
    said = log.stream.getvalue()
    assert secret not in said
    assert "…" in said
    assert secret[-6:] not in said.replace("example.com", "")


def test_a_link_that_is_for_the_operator_is_written(text: Log, as_json: Log) -> None:
    link = "http://h/signup?first=abcdefghijkl"
    for log in (text, as_json):
        log.logger.warning("Here: %(link)s", {"link": link}, extra=FOR_THE_OPERATOR)
        assert link in log.stream.getvalue()


class TestAFlood:
    def test_is_cut_short_and_told_of(self, text: Log) -> None:
        for _ in range(1000):
            text.logger.error("It failed: %(number)s", {"number": 1})
        assert len(text.lines()) == MOST_EQUAL
        assert text.handler.left_out == 1000 - MOST_EQUAL
        assert text.handler.written["error"] == 1000
        text.now += WINDOW
        text.logger.error("It failed: %(number)s", {"number": 2})
        assert text.lines()[-1].endswith(
            f"It failed: 2 (and {1000 - MOST_EQUAL} more like it, left out)"
        )

    def test_leaves_others_alone(self, as_json: Log) -> None:
        for _ in range(100):
            as_json.logger.error("It failed")
            fail(as_json, "in vain")
            as_json.logger.info("It went well")
        as_json.logger.error("Something else")
        events = [line["event"] for line in as_json.objects()]
        assert events.count("It failed") == 2 * MOST_EQUAL
        assert events.count("It went well") == 100
        assert events[-1] == "Something else"

    def test_of_many_kinds_takes_no_memory(self, text: Log) -> None:
        for number in range(10 * MOST_KINDS):
            text.logger.error(f"It failed: {number}")
        assert len(text.handler._flood._kinds) == MOST_KINDS


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger in the platform's code; the demo's processes are apps of their own."""
    for file in sorted(SERVER.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"log", "logger"}
                and node.func.attr in LEVELS
            ):
                yield f"{file.relative_to(SERVER)}:{node.lineno}", node


CALLS = dict(calls())


def test_there_are_calls() -> None:
    assert len(CALLS) > 15


@pytest.mark.parametrize("place", CALLS)
def test_every_line_names_its_values(place: str) -> None:
    """`log.info("Sent %(subject)r", {"subject": …})`: JSON has them as members."""
    sentence, *values = CALLS[place].args
    assert isinstance(sentence, ast.Constant), f"{place}: the sentence is the same for all"
    assert len(values) <= 1, f"{place}: name the values, in one dictionary"
    named = set(re.findall(r"%\((\w+)\)", str(sentence.value)))
    assert "%s" not in str(sentence.value), f"{place}: %(name)s instead of %s"
    assert not named & RESERVED, f"{place}: {named & RESERVED} mean something else in JSON"
    assert bool(values) == bool(named), place


PROGRAM = """
import logging, threading, warnings, sys
from flask_performance.server import logs
logs.configure("info", as_json=True)
warnings.warn("an old way", DeprecationWarning)
logging.getLogger("sqlalchemy.pool").error("no %s", "connection")
logging.getLogger("library").info("not of interest")
logging.getLogger("flask_performance.x").info("of interest")
logging.getLogger("flask_performance.x").debug("not of interest")
thread = threading.Thread(target=lambda: 1 / 0, name="counter")
thread.start(); thread.join()
raise RuntimeError("the end")
"""


def test_everything_that_is_said_is_an_event() -> None:
    done = subprocess.run(
        [sys.executable, "-Wdefault", "-c", PROGRAM], capture_output=True, text=True, check=False,
        env=environment(),
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["logger"] for line in lines] == [
        "py.warnings", "sqlalchemy.pool", "flask_performance.x", "flask_performance",
        "flask_performance",
    ]  # fmt: skip
    assert "an old way" in lines[0]["message"]
    assert lines[3]["thread"] == "counter"
    assert "ZeroDivisionError" in lines[3]["traceback"]
    assert "RuntimeError: the end" in lines[4]["traceback"]
    assert done.returncode == 1


@pytest.mark.slow
def test_serve_says_nothing_but_objects(tmp_path: Path) -> None:
    with running_platform(tmp_path / "data", FLASK_PERFORMANCE_LOG="json") as platform:
        platform.project()
        assert platform.stop() == 0
        platform.data.joinpath("events.duckdb").write_bytes(b"damage" * 1000)
        with pytest.raises(AssertionError, match="serve ended by itself"):
            platform.start(FLASK_PERFORMANCE_LOG="json")
        assert platform.process is not None
        assert platform.process.wait(10) == 1
        lines = [json.loads(line) for line in platform.log.read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events[0] == "Flask-Performance is ready at %(address)s"
    assert lines[0]["address"] == platform.url
    assert events[-1] == "The server does not start: %(reason)s"
    assert "cannot be opened" in lines[-1]["reason"]
