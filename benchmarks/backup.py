"""How long ingest waits for a backup's copy, and what the collector's journal answers meanwhile.

    python -m benchmarks.backup --megabytes 500

The store is filled with requests whose paths no encoding makes small; a thread puts envelopes into
the journal without a pause while the copy is made, and the time until each is durable is measured.
"""

import argparse
import asyncio
import contextlib
import secrets
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings
from flask_performance.server.store.block import Block, text_column
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.upkeep.tasks import Tasks
from tests.server.store.builders import NOON_US, block

from .report import keep, machine

ROWS = 100_000


def fill(store: DuckDBStore, megabytes: int) -> None:
    number = 0
    while store.used_bytes() < megabytes * 10**6:
        number += 1
        one = block([{}], number=number)
        columns = {name: np.repeat(column, ROWS) for name, column in one.columns.items()}
        columns["start_us"] = NOON_US + number * ROWS + np.arange(ROWS)
        text = secrets.token_hex(50 * ROWS)
        columns["path"] = text_column([text[at : at + 100] for at in range(0, len(text), 100)])
        receipt = msgspec.structs.replace(one.receipts[0], stored=ROWS, sent_total=None)
        store.append(Block(columns, one.operations, one.instances, [receipt]), number)


def put_until(journal: Journal, ended: threading.Event) -> list[float]:
    """Seconds until each envelope was durable."""
    taken: list[float] = []

    async def put() -> None:
        while not ended.is_set():
            began = time.perf_counter()
            await journal.put(Envelope(1, NOON_US, False, b"x" * 500))
            taken.append(time.perf_counter() - began)

    asyncio.run(put())
    return taken


def measure(megabytes: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(data=Path(name))
        with (
            contextlib.closing(DuckDBStore(settings.events)) as store,
            contextlib.closing(Journal(settings.journal)) as journal,
        ):
            fill(store, megabytes)
            ended, taken = threading.Event(), list[float]()
            putting = threading.Thread(target=lambda: taken.extend(put_until(journal, ended)))
            putting.start()
            paused = 0.0
            for answer in Tasks(settings, store, journal).run("snapshot", {}):
                paused = answer.get("paused", paused)
            ended.set()
            putting.join()
            size = settings.events.stat().st_size
    milliseconds = np.array(taken) * 1000
    return {
        "megabytes": round(size / 1e6),
        "ingest_waited_s": round(paused, 2),
        "megabytes_a_second": round(size / 1e6 / paused),
        "acknowledged_meanwhile": len(taken),
        "acknowledged_ms": {
            "p50": round(float(np.quantile(milliseconds, 0.5)), 2),
            "p99": round(float(np.quantile(milliseconds, 0.99)), 2),
            "max": round(float(milliseconds.max()), 1),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=500)
    on = machine()
    keep("backup", on, measure(parser.parse_args().megabytes))


if __name__ == "__main__":
    main()
