"""httpbin under gunicorn: every request of a real app arrives, once, as its client saw it.

The oracle is independent of the extension: the status and the time that the client measured, and
the rule of httpbin's own URL map that the request was made from.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from httpbin import app
from werkzeug.routing import Rule

from tests.support.apps import gunicorn, serving
from tests.support.http import fetch
from tests.support.platform import Project
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

#: A value for every variable that a rule of httpbin has.
VALUES: dict[str, Any] = {
    "algorithm": "SHA-256", "anything": "goes/here", "codes": "418", "delay": "0.3",
    "etag": "abc", "filename": "favicon.ico", "n": 3, "name": "colour", "numbytes": 2048,
    "offset": 1, "passwd": "secret", "qop": "auth", "stale_after": "never", "user": "ada",
    "value": "42",
}  # fmt: skip
QUERIES = {
    "/redirect-to": "?url=/get",
    "/drip": "?numbytes=5&duration=1&delay=0",
    "/response-headers": "?colour=blue",
    "/cookies/set": "?colour=blue",
    "/cookies/delete": "?colour=",
}
#: At least so long, in seconds, because httpbin waits: before the answer or between its parts.
SLOW = {"/delay/<delay>": 0.3, "/drip": 0.8}

#: A response ends for its server some moments after its client has read the last byte (seconds).
SLACK = 2.0


@dataclass(frozen=True)
class Call:
    method: str
    target: str
    route: str
    status: int = 0
    seconds: float = 0.0

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])


def calls() -> Iterator[Call]:
    """Every rule with every method it allows, and what matches no rule."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            yield Call(method, _target(rule), rule.rule)
    for n in (1, 10, 100):
        yield Call("GET", f"/stream/{n}", "/stream/<int:n>")
        yield Call("GET", f"/stream-bytes/{n * 1000}?chunk_size=100", "/stream-bytes/<int:n>")
        yield Call("GET", f"/bytes/{n * 1000}", "/bytes/<int:n>")
    for status in ("204", "301", "404", "500", "503"):
        yield Call("GET", f"/status/{status}", "/status/<codes>")
    yield Call("GET", "/no/such/page", "")
    yield Call("GET", "/users/%E4%BD%A0%E5%A5%BD", "")


def _target(rule: Rule) -> str:
    arguments = {name: VALUES[name] for name in rule.arguments}
    if "<int:value>" in rule.rule:
        arguments["value"] = 60
    adapter = app.url_map.bind("localhost")
    path: str = adapter.build(rule.endpoint, arguments)
    return path + QUERIES.get(rule.rule, "")


def make(address: str, call: Call) -> Call:
    body = b'{"a": 1}' if call.method in ("POST", "PUT", "PATCH") else None
    headers = {"Content-Type": "application/json"} if body else {}
    started = time.monotonic()
    answer = fetch(address + call.target, call.method, body, headers, timeout=20)
    return replace(call, status=answer.status, seconds=time.monotonic() - started)


def test_every_request_is_stored_once_as_its_client_saw_it(
    project: Project, tmp_path: Path
) -> None:
    with serving(
        gunicorn("tests.support.httpbin_app:app"),
        log=tmp_path / "gunicorn.log",
        folder=Path(__file__).parents[2],
        METRIC_DSN=project.dsn,
    ) as address:
        made = [make(address, call) for call in calls()]
        project.wait_for_requests(len(made))

    # They were made one after the other, so the order of their starts is the order of the calls.
    stored = sorted(project.requests(), key=lambda row: datetime.fromisoformat(row["start"]))
    assert [_seen_by_platform(row) for row in stored] == [_seen_by_client(call) for call in made]
    for row, call in zip(stored, made, strict=True):
        least = SLOW.get(call.route, 0) if call.method == "GET" else 0
        assert least < row["duration"] / 1000 < call.seconds + SLACK, (row, call)
    _assert_whole_ledger(project, len(made))


def _seen_by_client(call: Call) -> tuple[str, str, str, int, str]:
    return call.method, call.route, call.path, call.status, "completed"


def _seen_by_platform(row: dict[str, Any]) -> tuple[str, str, str, int, str]:
    return row["method"], row["route"], row["path"], row["status"], row["outcome"]


def _assert_whole_ledger(project: Project, count: int) -> None:
    def settled() -> dict[str, Any] | None:
        ledger: dict[str, Any] = project.get("ledger")
        return ledger if ledger["waiting"] == 0 and ledger["seen"] >= count else None

    ledger = wait_for(settled, 60, f"a ledger with all {count} requests and none waiting")
    assert (ledger["seen"], ledger["stored"], ledger["lost"]) == (count, count, 0)
    assert not any(ledger["dropped"].values())
