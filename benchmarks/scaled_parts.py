"""What each part of the scaled set costs a request: the figures under docs/scale.md's arithmetic.

    python -m benchmarks.scaled_parts [SECONDS]

PostgreSQL, RabbitMQ, ClickHouse, a collector, a web process and a worker on one machine; a
generator posts batches over HTTP without a pause. Processor time is read from every process of
each part, until all that was acknowledged is stored, rolled up and merged: it says what a part
needs whether or not its neighbours keep it waiting. A batch has what a process of an app serves
in METRIC_INTERVAL, so it is done for three sizes. Kept in `scaled_parts.json`.
"""

import multiprocessing
import sys
from contextlib import closing
from typing import Any, Final

import psutil

from flask_performance.server.store.clickhouse import ClickHouseStore
from tests.drills.workers import project_of
from tests.support.platform import Project
from tests.support.scaled import Process, Scaled, scaled
from tests.support.waiting import wait_for

from .batches import generate
from .report import keep, machine
from .under_load import stored

#: Under way at once, whatever the size: a collector has what many processes send at one moment.
REQUESTS: Final = 16_000
SIZES: Final = (1_000, 100, 10)


def cpu_seconds(pid: int) -> float:
    """Of a process, its children and those of them that have ended."""
    total = 0.0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def used(world: Scaled, worker: Process) -> dict[str, float]:
    pids = {
        "collector": world.collector.pid,
        "RabbitMQ": world.broker.pid,
        "worker": worker.pid,
        "PostgreSQL": world.database.pid,
        "ClickHouse": world.store.pid,
    }
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def measure(world: Scaled, project: Project, worker: Process, seconds: float, size: int) -> Any:
    before, had = used(world, worker), stored(project)
    context = multiprocessing.get_context("spawn")
    result = context.Queue()
    generator = context.Process(
        target=generate, args=(project.dsn, seconds, REQUESTS // size, result, size)
    )
    generator.start()
    made = result.get()
    generator.join()
    sent = made["acknowledged"]
    wait_for(lambda: stored(project) - had >= sent, 300, "all rows", every=2)
    _come_to_rest(world)
    after = used(world, worker)
    print(f"{sent:,} requests in batches of {size:,}", flush=True)
    return {
        "requests": sent,
        "acknowledged a second, all on one machine": round(sent / made["took"]),
        "processor, \u00b5s a request": {
            name: round((after[name] - before[name]) / sent * 1e6, 3) for name in after
        },
    }


def _come_to_rest(world: Scaled) -> None:
    with closing(ClickHouseStore.open(world.settings["FLASK_PERFORMANCE_STORE_URL"])) as store:
        store.roll()
    merging = "select count() from system.merges"
    wait_for(lambda: world.store.ask(merging) == [(0,)], 120, "ClickHouse to rest", every=0.5)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    on = machine()
    with scaled() as world:
        project = project_of(world)
        worker = world.worker("measured")
        worker.wait()
        beat = world.beat()
        beat.wait()
        figures = {
            f"batches of {size:,}": measure(world, project, worker, seconds, size) for size in SIZES
        }
        beat.kill()
        worker.kill()
    keep("scaled_parts", on, figures)


if __name__ == "__main__":
    main()
