"""What one worker and one collector carry past one machine, all of it on this one.

    python -m benchmarks.scaled [BATCHES]

Two numbers: how fast one worker moves batches of 1,000 requests from RabbitMQ into ClickHouse, and
how long the collector waits for the broker's confirm, which is what it adds to an answer. Kept in
`scaled.json`.
"""

import asyncio
import gzip
import json
import os
import sys
import time
import uuid
from statistics import quantiles
from typing import Any

from flask_performance.server.queue import celery
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.celery import CeleryQueue
from flask_performance.server.store.base import Filter
from flask_performance.server.store.clickhouse import ClickHouseStore
from tests.support.scaled import Scaled, scaled
from tests.support.waiting import wait_for

from .report import keep, machine

REQUESTS = 1_000
CONFIRMS = 3_000
#: No project: what is confirmed for it is thrown away by the worker.
NOBODY = 4_711


def body(instance: str, number: int) -> bytes:
    """A batch as the extension packs it."""
    now_us = time.time_ns() // 1000
    document: dict[str, Any] = {
        "version": 1,
        "instance": {"id": instance, "host": "web-1", "pid": 7},
        "batch": number,
        "sent_us": now_us,
        "ledger": {"seen": number * REQUESTS, "sent": number * REQUESTS, "dropped": {}},
        "operations": [
            {"method": "GET", "route": f"/things/{place}/<id>", "endpoint": f"things_{place}"}
            for place in range(20)
        ],
        "requests": {
            "start_us": [now_us - place * 37 for place in range(REQUESTS)],
            "duration_us": [1_000 + place * 31 % 90_000 for place in range(REQUESTS)],
            "operation": [place % 20 for place in range(REQUESTS)],
            "status": [200 if place % 50 else 500 for place in range(REQUESTS)],
            "path": [f"/things/{place % 20}/{place}" for place in range(REQUESTS)],
        },
    }
    return gzip.compress(json.dumps(document).encode(), compresslevel=1)


def envelopes(project_id: int, batches: int) -> list[Envelope]:
    instances = [uuid.uuid4().hex for _ in range(20)]
    return [
        Envelope(project_id, time.time_ns() // 1000, True,
                 body(instances[place % 20], place // 20 + 1))
        for place in range(batches)
    ]  # fmt: skip


def put(queue: CeleryQueue, posted: list[Envelope]) -> None:
    async def all_of_them() -> None:
        for place in range(0, len(posted), 500):
            await asyncio.gather(*map(queue.put, posted[place : place + 500]))

    asyncio.run(all_of_them())


def worker_speed(world: Scaled, project_id: int, batches: int, children: int) -> dict[str, Any]:
    queue = CeleryQueue(world.settings["FLASK_PERFORMANCE_QUEUE_URL"])
    put(queue, envelopes(project_id, batches))
    queue.close()
    store = ClickHouseStore.open(world.settings["FLASK_PERFORMANCE_STORE_URL"])
    ever = Filter(project_id=project_id, start_us=0, end_us=2 * 10**15 + time.time_ns() // 1000)
    worker = world.worker("measured", children)

    def stored() -> int:
        return store.summary(ever).requests

    worker.wait()
    wait_for(lambda: stored() > 0, 60, "the first requests", every=0.02)
    began, before = time.perf_counter(), stored()
    total = batches * REQUESTS
    wait_for(lambda: stored() == total, 300, "all requests", every=0.05)
    seconds = time.perf_counter() - began
    worker.kill()
    store.close()
    return {
        "children": children,
        "requests": total - before,
        "seconds": round(seconds, 2),
        "requests_per_second": round((total - before) / seconds),
    }


def confirms(world: Scaled) -> dict[str, Any]:
    """One at a time: the whole of what a client waits for, from put to confirmed."""
    queue = CeleryQueue(world.settings["FLASK_PERFORMANCE_QUEUE_URL"])
    # Nobody takes these here; elsewhere workers do, and there is no backlog to wait for.
    celery.COMPANY = (0.0, 0.0)  # type: ignore[misc]
    posted = envelopes(NOBODY, 50)
    took = []

    async def one_by_one() -> None:
        for place in range(CONFIRMS):
            began = time.perf_counter()
            await queue.put(posted[place % 50])
            took.append((time.perf_counter() - began) * 1000)

    asyncio.run(one_by_one())
    queue.close()
    cuts = quantiles(took[100:], n=1000)
    return {"confirms": CONFIRMS, "p50_ms": round(cuts[499], 2), "p99_ms": round(cuts[989], 2)}


def main() -> None:
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000
    on = machine()
    with scaled() as world:
        for name in ("One", "Two"):
            world.web.create_project(name)
        figures = {
            # First: the event store merges for a while what workers gave it.
            "collector": confirms(world),
            # As Celery starts it, a child for each core; and with a single child.
            "worker": worker_speed(world, 1, batches, os.cpu_count() or 1),
            "worker of one child": worker_speed(world, 2, batches, 1),
        }
    keep("scaled", on, figures)


if __name__ == "__main__":
    main()
