"""What each step from a posted batch to a rolled-up row costs, alone.

    python -m benchmarks.steps

One process, one thread, batches of 1,000 requests as the extension sends them. A step's time is the
processor time of all threads, the least of three turns: work that DuckDB spreads over the cores
counts in full. The sum says what the cores of a machine can take, were nothing lost between steps.
"""

import asyncio
import contextlib
import gzip
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import duckdb

from flask_performance.server.ingest.builder import BlockBuilder
from flask_performance.server.payload import Batch, decode, unpack
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.server.store.block import Block
from flask_performance.server.store.duckdb import DuckDBStore

from .report import keep, machine

BATCHES: Final = 200
REQUESTS: Final = 1_000
TURNS: Final = 3

#: Runs a step and notes what it cost, under its name.
Measure = Callable[[str, Callable[[], Any]], None]


def document(number: int, rng: random.Random, requests: int = REQUESTS) -> dict[str, Any]:
    """Typical: 20 operations, four paths in ten with an id, sizes, and rarely an exception."""
    now_us = time.time_ns() // 1000 - 60_000_000
    routes = [f"/shop/{name}" for name in range(12)] + [f"/users/<int:id>/{n}" for n in range(8)]
    operation = [rng.randrange(20) for _ in range(requests)]
    starts = sorted(now_us + rng.randrange(1_000_000) for _ in range(requests))
    sent = (number // 20 + 1) * requests
    ids = [str(rng.randrange(9999)) for _ in operation]
    return {
        "version": 1,
        "instance": {"id": f"{number % 20:032x}", "host": "web-1", "environment": "production"},
        "batch": number // 20 + 1,
        "sent_us": now_us,
        "ledger": {"seen": sent, "sent": sent, "dropped": {}},
        "operations": [{"method": "GET", "route": r, "endpoint": r} for r in routes],
        "requests": {
            "start_us": starts,
            "duration_us": [int(rng.lognormvariate(9.5, 0.8)) for _ in operation],
            "operation": operation,
            "status": [200 if rng.random() < 0.98 else 500 for _ in operation],
            "path": [
                routes[place].replace("<int:id>", id)
                for place, id in zip(operation, ids, strict=True)
            ],
            "response_bytes": [rng.randrange(200, 20_000) for _ in operation],
        },
    }  # fmt: skip


def _timed(step: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - wall, time.process_time() - cpu


def _store(folder: Path, block: Block, measure: Measure) -> None:
    with contextlib.closing(DuckDBStore(folder / "events.duckdb")) as store:
        measure("append", lambda: store.append(block, 1))
        measure("roll", store.roll)
    with duckdb.connect(str(folder / "plain.duckdb")) as plain:
        plain.register("block", block.columns)
        measure(
            "DuckDB alone: the same rows as a table",
            lambda: plain.execute("create table request as from block"),
        )


def _queue(folder: Path, bodies: list[bytes], measure: Measure) -> None:
    with contextlib.closing(Journal(folder / "journal.sqlite3")) as journal:

        async def put() -> None:
            await asyncio.gather(*(journal.put(Envelope(1, 1, True, body)) for body in bodies))

        measure("journal", lambda: asyncio.run(put()))


def main() -> None:
    on, rng = machine(), random.Random(1)
    texts = [
        json.dumps(document(number, rng), separators=(",", ":")).encode()
        for number in range(BATCHES)
    ]
    bodies = [gzip.compress(text, 1) for text in texts]
    batches = [decode(text) for text in texts]
    count = BATCHES * REQUESTS
    best: dict[str, tuple[float, float]] = {}

    def measure(name: str, step: Callable[[], Any]) -> None:
        wall, cpu = _timed(step)
        was = best.get(name, (1e9, 1e9))
        best[name] = min(was[0], wall), min(was[1], cpu)

    def columns() -> Block:
        builder = BlockBuilder()
        for batch in batches:
            assert isinstance(batch, Batch)
            builder.add_batch(1, 1, batch)
        return builder.build()

    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            measure("gunzip", lambda: [unpack(body) for body in bodies])
            measure("decode", lambda: [decode(text) for text in texts])
            measure("columns", columns)
            _store(Path(folder), columns(), measure)
            _queue(Path(folder), bodies, measure)
    figures: dict[str, Any] = {
        f"{name} (µs a request)": {
            "wall": round(wall / count * 1e6, 3), "processor": round(cpu / count * 1e6, 3),
        }
        for name, (wall, cpu) in best.items()
    }  # fmt: skip
    path = sum(cpu for name, (_, cpu) in best.items() if not name.startswith("DuckDB")) / count
    figures |= {
        "all of the way (µs of processor a request)": round(path * 1e6, 3),
        "so two cores that do nothing else take (a second)": round(2 / path),
        "bytes a request, packed": round(sum(map(len, bodies)) / count, 1),
        "bytes a request, as JSON": round(sum(map(len, texts)) / count, 1),
    }
    keep("steps", on, figures)


if __name__ == "__main__":
    main()
