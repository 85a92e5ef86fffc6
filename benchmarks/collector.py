"""The collector under load: single requests of the 2019 client, each durable before its 202.

    python -m benchmarks.collector [--seconds 30] [--rate 10000]

Everything runs on this machine: the platform, the generator, and a watcher that holds a project's
live page open all the time. First as many as the platform takes, at 128 connections, by wrk
(Debian's package `wrk`). wrk is a closed loop: it waits for an answer before it asks again, so its
latencies leave out what a steadier client would have met (coordinated omission), and only its rate
is a figure of ours. Then a fixed rate, by an open loop of our own: a request that is due is due
whether the ones before it were answered or not, and its latency counts from when it was due.

Afterwards the platform is asked how many requests it has, until all that were acknowledged are
there. There may be up to 128 more: wrk leaves without waiting for its last answers.
"""

import argparse
import asyncio
import json
import re
import subprocess
import tempfile
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

import uvloop

from tests.support.platform import Project
from tests.support.waiting import wait_for

from .report import keep, machine, quantile
from .under_load import Usage, loaded, stored, watched

CONNECTIONS: Final = 128
#: A tick of the open loop (seconds); what is due within one is sent together.
TICK: Final = 0.001
WAIT_STORED: Final = 300.0

SCRIPT: Final = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [[%s]]
function done(summary, latency, requests)
  io.write(string.format("answers %%d status %%d other %%d\\n", summary.requests,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


def body() -> bytes:
    """What flask-performance 0.0.6 posts."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return json.dumps({
        "time_used": 0.0123, "created_at": str(now), "path": "/users/7", "status_code": 200,
        "method": "GET", "endpoint": "users",
    }).encode()  # fmt: skip


def most(project: Project, seconds: float) -> dict[str, Any]:
    """As many as go, by wrk."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT % body().decode())
        script.flush()
        run = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}", "-s", script.name, project.dsn],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    found = re.search(r"answers (\d+) status (\d+) other (\d+)", run.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)
    assert found is not None, run.stdout
    assert rate is not None, run.stdout
    answers, refused, failed = map(int, found.groups())
    return {"a second": round(float(rate[1])), "acknowledged": answers - refused,
            "refused": refused, "failed": failed}  # fmt: skip


class _Connection(asyncio.Protocol):
    """One of the open loop's: a request at a time."""

    def __init__(self, load: "Steady") -> None:
        self._load = load
        self._due = 0.0
        self._said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)  # uvloop has a class of its own

    def ask(self, due: float) -> None:
        self._due = due
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._said += data
        if self._said.endswith(b"}"):
            self._load.answered(self, self._due, self._said.startswith(b"HTTP/1.1 202"))
            self._said = b""


class Steady:
    """Requests at a fixed rate; those for which no connection is free wait, and it counts."""

    def __init__(self, dsn: str, rate: int, seconds: float) -> None:
        parts = urlsplit(dsn)
        self._where = parts.hostname or "", parts.port or 80
        content = body()
        self.request = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        ).encode() + content
        self._rate, self._seconds = rate, seconds
        self._free: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.refused = 0

    def answered(self, connection: _Connection, due: float, accepted: bool) -> None:
        self.latencies.append(self._loop.time() - due)
        self.refused += not accepted
        if self._waiting:
            connection.ask(self._waiting.popleft())
        else:
            self._free.append(connection)

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await self._loop.create_connection(
                lambda: _Connection(self), *self._where
            )
            self._free.append(connection)
        began, sent, count = self._loop.time(), 0, int(self._rate * self._seconds)
        while sent < count:
            due_now = min(count, int((self._loop.time() - began) * self._rate))
            for number in range(sent, due_now):
                due = began + number / self._rate
                if self._free:
                    self._free.popleft().ask(due)
                else:
                    self._waiting.append(due)
            sent = due_now
            await asyncio.sleep(TICK)
        ends = self._loop.time() + 30
        while len(self.latencies) < count and self._loop.time() < ends:
            await asyncio.sleep(0.01)


def steady(project: Project, rate: int, seconds: float) -> dict[str, Any]:
    """A fixed rate, by an open loop."""
    load = Steady(project.dsn, rate, seconds)
    uvloop.run(load.run())
    found = sorted(load.latencies)
    milliseconds = {
        f"p{q * 100:g}": round(quantile(found, q) * 1000, 2) for q in (0.5, 0.99, 0.999)
    }
    return {"rate": rate, "acknowledged": len(found) - load.refused, "refused": load.refused,
            "unanswered": int(rate * seconds) - len(found), "ms": milliseconds}  # fmt: skip


def _wait_for_all(project: Project, acknowledged: int) -> None:
    wait_for(lambda: stored(project) >= acknowledged, WAIT_STORED, "all to be stored")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=int, default=10_000)
    given = parser.parse_args()
    on = machine()
    with loaded() as (platform, project):
        figures: dict[str, Any] = {}
        acknowledged = 0
        with watched(platform, project) as watcher, Usage(platform) as usage:
            for name, run in (
                ("single requests, 128 connections (wrk)", lambda: most(project, given.seconds)),
                ("at a fixed rate (open loop)",
                 lambda: steady(project, given.rate, given.seconds)),
            ):  # fmt: skip
                figures[name] = run()
                acknowledged += figures[name]["acknowledged"]
                ended = time.monotonic()
                _wait_for_all(project, acknowledged)
                figures[name]["all stored after s"] = round(time.monotonic() - ended, 1)
        figures |= {
            "acknowledged": acknowledged,
            "stored": stored(project),
            "events of the open page meanwhile": watcher.events,
            "memory of the platform, most (MB)": round(usage.most_memory / 1e6, 1),
            "cores of the platform, mean": round(usage.cores, 2),
        }
    assert acknowledged <= figures["stored"] <= acknowledged + CONNECTIONS
    keep("collector", on, figures)


if __name__ == "__main__":
    main()
