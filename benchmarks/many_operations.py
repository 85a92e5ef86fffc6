"""What becomes of a project whose app has far too many operations: a route for each of its tenants.

    python -m benchmarks.many_operations [OPERATIONS]

One process reports 100,000 operations, each asked for a few times in the last ten minutes, in
batches of 10,000 requests as the wire format allows. The platform keeps the first 10,000 of a
project by name and counts the others together. Then a person who is logged in asks for the
overview: the page, the second part of the whole table, sorted otherwise, and searched; and has it
open. Times are until the last byte.
"""

import gzip
import json
import random
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.support.browserless import Session, log_in
from tests.support.http import fetch
from tests.support.platform import EMAIL, PASSWORD, Platform, Project, running_platform
from tests.support.waiting import wait_for

from .report import keep, machine, quantile

OPERATIONS = 100_000
REQUESTS = 3
BATCH = 10_000
TURNS = 12
MB = 1_000_000
LIVE_SECONDS = 10.0
#: What a person asks of the table.
QUESTIONS = {
    "overview": "?range=1h",
    "second part of all": "?range=1h&all=1&page=2",
    "sorted by p99": "?range=1h&sort=-p99",
    "searched, found": "?range=1h&q=tenants+4711",
    "searched, not found": "?range=1h&q=nowhere",
    "routes": "/routes?range=1h",
}


def report(project: Project, operations: int) -> float:
    """Post all requests; seconds until the last was acknowledged."""
    chance, began = random.Random(1), time.monotonic()
    instance, number, sent = f"{chance.getrandbits(128):032x}", 0, 0
    for _ in range(REQUESTS):
        for first in range(0, operations, BATCH):
            places = range(first, min(first + BATCH, operations))
            number += 1
            now_us = time.time_ns() // 1000
            sent += len(places)
            batch = {
                "version": 1,
                "instance": {"id": instance, "environment": "production"},
                "batch": number,
                "sent_us": now_us,
                "ledger": {"seen": sent, "sent": sent, "dropped": {}},
                "operations": [
                    {"method": "GET", "route": f"/tenants/{place}/orders/<int:id>"}
                    for place in places
                ],
                "requests": {
                    "start_us": [now_us - chance.randrange(600_000_000) for _ in places],
                    "duration_us": [int(chance.lognormvariate(9.5, 1)) for _ in places],
                    "operation": list(range(len(places))),
                    "status": [200] * len(places),
                },
            }
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            body = gzip.compress(json.dumps(batch).encode(), 1)
            answer = fetch(project.dsn, "POST", body, headers, timeout=60)
            assert answer.status == 202, answer.body
    return time.monotonic() - began


def asked(url: str, cookie: str) -> str:
    """Milliseconds at p50 and at most, and the size of the answer."""
    took = []
    for _ in range(TURNS):
        began = time.perf_counter()
        answer = fetch(url, headers={"Cookie": cookie}, timeout=60)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer.status
    took.sort()
    return f"{quantile(took, 0.5):.0f} / {took[-1]:.0f} ms, {len(answer.body) / 1000:.0f} kB"


def live(platform: Platform, path: str, cookie: str) -> str:
    """What an open page hears while nothing but time goes on."""
    parts = urlsplit(platform.url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("GET", f"{path}/live?range=1h", headers={"Cookie": cookie})
    answer, heard, ends = connection.getresponse(), 0, time.monotonic() + LIVE_SECONDS
    while time.monotonic() < ends:
        heard += len(answer.read1())
    connection.close()
    return f"{heard / LIVE_SECONDS / 1000:.0f} kB a second"


def measure(operations: int, folder: Path) -> dict[str, Any]:
    with running_platform(folder / "data") as platform:
        assert platform.process is not None
        process = psutil.Process(platform.process.pid)
        project, session = platform.project(), Session()
        path = f"/projects/{project.id}"
        idle = process.memory_info().rss
        seconds = report(project, operations)
        total = operations * REQUESTS
        wait_until_stored(project, total)
        log_in(platform.url + path, EMAIL, PASSWORD, session)
        kept = project.api.items(f"/projects/{project.id}/operations", limit=1000)
        other = sum(one["requests"] for one in kept if one["route"] == "_OTHER")
        ledger = project.get("ledger")
        return {
            "operations reported": operations,
            "requests stored, lost": f"{ledger['stored']}, {ledger['lost']}",
            "acknowledged within, s": round(seconds, 1),
            "operations kept by name": len(kept) - 1,
            "requests counted as others": other,
            **{
                name: asked(platform.url + path + query, session.cookie)
                for name, query in QUESTIONS.items()
            },
            "live, of an open overview": live(platform, path, session.cookie),
            "memory before and after, MB": f"{idle / MB:.0f}, {process.memory_info().rss / MB:.0f}",
        }


def wait_until_stored(project: Project, count: int) -> None:
    """Wait until so many are stored."""
    wait_for(
        lambda: project.get("summary")["requests"] >= count,
        120, f"{count} requests", every=0.5,
    )  # fmt: skip


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else OPERATIONS
    on = machine()
    with tempfile.TemporaryDirectory() as name:
        keep("many_operations", on, measure(operations, Path(name)))


if __name__ == "__main__":
    main()
