"""Clients that nobody wants: they drip, swell, lie about numbers and pretend to be each other.

Good clients are answered meanwhile, memory stays flat, every refusal has a reason and is counted.
"""

import contextlib
import gzip
import json
import random
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

from tests.server.batches import batch, body, single
from tests.support.http import Answer, fetch
from tests.support.platform import Platform, Project, running_platform
from tests.support.waiting import wait_for

from .play import Outcomes, assert_acknowledged_is_stored_once, loaded, more, refused

JSON: Final = {"Content-Type": "application/json"}
GZIP: Final = JSON | {"Content-Encoding": "gzip"}
#: Connections that a round of drips holds open, at most; the server takes 8,192 at once.
DRIPS: Final = 4_000
#: What a server may grow by while it is attacked (bytes): bodies under way, and what DuckDB keeps.
GROWTH: Final = 400 * 1024**2


def slow_loris(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """Thousands of connections, each a few bytes into its head or its body, beside good clients."""
    outcomes: Outcomes = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        with loaded(project) as clients:
            more(clients)
            before = _memory(platform)
            for _ in range(rounds):
                with _dripping(rng, project, _drips()) as drips:
                    more(clients)
                    assert fetch(f"{platform.url}/health", timeout=30).status == 200
                    for _ in range(3):
                        _drip(rng, drips)
                    more(clients)
                    assert _memory(platform) - before < GROWTH
                    outcomes["connections that dripped"] += len(drips)
                outcomes["good clients were served meanwhile"] += 1
        assert_acknowledged_is_stored_once(project, clients)
        assert platform.stop() == 0
    return outcomes


def _drips() -> int:
    """As many as this machine lets one process have, and a hundred files for everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(DRIPS, soft - 100)


@contextlib.contextmanager
def _dripping(rng: random.Random, project: Project, count: int) -> Iterator[list[socket.socket]]:
    parts = urlsplit(project.dsn)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
    with contextlib.ExitStack() as stack:
        drips = []
        for _ in range(count):
            drip = stack.enter_context(socket.create_connection((parts.hostname, parts.port), 30))
            drip.setblocking(False)
            text = head if rng.random() < 0.5 else f'{head}\r\n{{"version": 1'
            with contextlib.suppress(OSError):
                drip.send(text.encode())
            drips.append(drip)
        yield drips


def _drip(rng: random.Random, drips: list[socket.socket]) -> None:
    """A byte from each; some were hung up on meanwhile."""
    for drip in drips:
        with contextlib.suppress(OSError):
            drip.send(rng.choice(b"aX: 1").to_bytes(1, "big"))


#: Bodies that are refused, and with which status and reason.
_BOMBS: Final[dict[str, tuple[bytes, dict[str, str], int, str]]] = {
    "gzip bomb": (gzip.compress(bytes(200 * 1024**2), 9), GZIP, 413, "too_large"),
    "gzip that ends early": (gzip.compress(body(batch()))[:-9], GZIP, 400, "malformed"),
    "JSON bomb of numbers": (b'{"version":1,"requests":{"status":[' + b"1," * 3_000_000 + b"1]}}",
                             JSON, 400, "malformed"),
    "deep nesting": (b"[" * 4_000_000, JSON, 400, "malformed"),
    "deep nesting of what is skipped": (
        b'{"version":1,"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", JSON, 400,
        "malformed"),
    "huge integer": (body(batch()).replace(b'"batch": 1', b'"batch": ' + b"9" * 5000), JSON, 400,
                     "malformed"),
    "NaN": (body(batch(sent_us=float("nan"))), JSON, 400, "malformed"),
    "Infinity": (body(single(time_used=float("inf"))), JSON, 400, "malformed"),
    "invalid UTF-8": (body(batch()).replace(b"web-1", b"we\xff-1"), JSON, 400, "malformed"),
    "NUL between members": (body(batch()).replace(b", ", b"\0 ", 1), JSON, 400, "malformed"),
    "negative time": (body(batch(sent_us=-1)), JSON, 400, "malformed"),
    "time beyond 9999": (body(batch(sent_us=2**62)), JSON, 400, "malformed"),
    "negative count": (body(batch(ledger={"seen": -1, "sent": 0})), JSON, 400, "malformed"),
    "no JSON": (b"a=1", JSON | {"Content-Type": "application/x-www-form-urlencoded"}, 415,
                "wrong_type"),
}  # fmt: skip


def bombs(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """Every kind of bad body in a round, in random order, beside good clients."""
    outcomes: Outcomes = Counter()
    expected: Counter[str] = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        with loaded(project) as clients:
            more(clients)
            before = _memory(platform)
            for _ in range(rounds):
                for name in rng.sample(sorted(_BOMBS), len(_BOMBS)):
                    content, headers, status, reason = _BOMBS[name]
                    answer = fetch(project.dsn, "POST", content, headers, timeout=60)
                    assert answer.status == status, (name, answer.status, answer.body)
                    assert answer.json()["error"].endswith("."), name
                    expected[reason] += 1
                    outcomes[f"{name}: {status}"] += 1
                more(clients)
                assert _memory(platform) - before < GROWTH
        for reason, count in expected.items():
            wait_for(lambda r=reason, n=count: refused(platform, r) == n, 20, f"{count} {reason}")  # type: ignore[misc]
        assert_acknowledged_is_stored_once(project, clients)
        assert platform.stop() == 0
    return outcomes


def liars(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """Numbers that go backwards, repeats, two processes of one id, odd texts and times."""
    outcomes: Outcomes = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        stored = 0
        for number in range(rounds):
            sent = _lies(f"round-{number}")
            deliveries = [*sent, *rng.sample(sent, len(sent) // 2)]
            rng.shuffle(deliveries)
            if rng.random() < 0.2:
                platform.kill()
                platform.start()
            for document in deliveries:
                answer = fetch(project.dsn, "POST", _body(document), JSON, timeout=30)
                assert answer.status == 202, (document, answer.body)
            distinct = {(one["instance"]["id"], one["batch"]) for one in deliveries}
            stored += 3 * len(distinct)
            _wait_for_stored(project, stored)
            outcomes["deliveries"] += len(deliveries)
            outcomes["of these repeats, stored once"] += len(deliveries) - len(distinct)
        assert platform.stop() == 0
    return outcomes


def _lies(name: str) -> list[dict[str, Any]]:
    """Good form, odd content. The last is another process with the id and number of the first."""
    texts = ["\0", "\U0001f600", "a\u202eb", "'; drop table request; --", "\uffff", ""]
    future = {"start_us": [2**45, 253_402_300_799_999_999, 0], "path": texts[:3]}
    odd = {"path": texts[3:]}
    numbers = [9, 2, 5, 1, 2**53, 9]
    return [
        _with_requests(
            batch(number, instance={"id": f"{name}-{id}"}, ledger={"seen": 9, "sent": 9}),
            **(odd if place else future),
        )
        for place, (number, id) in enumerate(zip(numbers, "abaaba", strict=True))
    ]


def _with_requests(document: dict[str, Any], **columns: Any) -> dict[str, Any]:
    document["requests"] |= columns
    return document


def _body(document: dict[str, Any]) -> bytes:
    """Some members twice: the last counts, as in most readers."""
    return b'{"batch": 77, ' + json.dumps(document).encode()[1:]


def _wait_for_stored(project: Project, count: int) -> None:
    def stored() -> int:
        return int(project.get("ledger")["stored"])

    wait_for(lambda: stored() >= count, 30, f"{count} stored requests")
    assert stored() == count


def names(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """Batches of 10,000 operations that nobody had, each of a process that nobody knew."""
    outcomes: Outcomes = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        before = _memory(platform)
        for number in range(rounds):
            answer = _post_names(project, number, rng)
            assert answer.status == 202, answer.body
            outcomes["requests, each of an operation of its own"] += 10_000
        _wait_for_stored(project, 10_000 * rounds)
        assert _memory(platform) - before < GROWTH
        for part in ("summary", "operations", "series", "requests"):
            began = time.monotonic()
            assert project.get(part)
            assert time.monotonic() - began < 10, part
        operations = project.api.items(f"/projects/{project.id}/operations", limit=1000)
        assert len(operations) <= 10_001
        assert sum(one["requests"] for one in operations) == 10_000 * rounds
        assert platform.stop() == 0
    return outcomes


def _post_names(project: Project, number: int, rng: random.Random) -> Answer:
    now_us = time.time_ns() // 1000
    text = f"{rng.random()}" * 100
    document = {
        "version": 1,
        "instance": {"id": f"{number}", "environment": text, "release": text},
        "batch": 1,
        "sent_us": now_us,
        "ledger": {"seen": 10_000, "sent": 10_000},
        "operations": [{"method": "GET", "route": f"/{number}/{n}"} for n in range(10_000)],
        "requests": {
            "start_us": [now_us] * 10_000,
            "duration_us": [rng.randrange(10**7) for _ in range(10_000)],
            "operation": list(range(10_000)),
            "status": [200] * 10_000,
        },
    }
    return fetch(project.dsn, "POST", gzip.compress(body(document), 1), GZIP, timeout=60)


def _memory(platform: Platform) -> int:
    assert platform.process is not None
    return int(psutil.Process(platform.process.pid).memory_info().rss)
