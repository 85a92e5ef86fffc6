"""The drill of the cluster: replicas and a whole shard die under load and come back.

    python -m tests.cluster [SECONDS]

Workers store blocks without a pause, as those of a queue do: what the store refuses comes again,
under the same id, until it is stored. Meanwhile one replica is killed and brought back, then both
of a shard. In the end what was stored is compared with what was acknowledged, and what is left when
timed work has cleaned up, on every server.
"""

import contextlib
import dataclasses
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar
from unittest import mock
from uuid import uuid4

from flask_performance.server.store.base import Filter, StoreUnavailableError
from flask_performance.server.store.clickhouse import ClickHouseStore, attempts

from .server.store.builders import NOON_US, block
from .support.clickhouse_cluster import ClickHouseCluster, clickhouse_cluster

WORKERS: Final = 3
REQUESTS: Final = 40
#: Processes of apps whose batches a worker stores, in turn.
PROCESSES: Final = 7
DAY: Final = Filter(project_id=1, start_us=NOON_US - 86_400_000_000, end_us=NOON_US + 1)
#: How long anything may take to come right again (seconds): it bounds a failure, nothing else.
PATIENCE: Final = 300.0
PAUSE: Final = 0.05
T = TypeVar("T")


@dataclass
class Load:
    """Workers that store blocks until they shall end."""

    url: str
    stored: int = 0
    refused: int = 0
    _ending: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, worker: int) -> None:
        with contextlib.closing(ClickHouseStore.open(self.url)) as store:
            number = 0
            while not self._ending.is_set():
                number += 1
                self._store(store, worker, number)

    def _store(self, store: ClickHouseStore, worker: int, number: int) -> None:
        turn, process = divmod(number - 1, PROCESSES)
        made = block(
            [{"start_us": NOON_US - 1000 * number - place} for place in range(REQUESTS)],
            wire_id=f"worker {worker}, process {process}", number=turn + 1,
            sent_total=REQUESTS * (turn + 1),
        )  # fmt: skip
        made = dataclasses.replace(made, id=uuid4().hex)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                store.append(made)
            except StoreUnavailableError:
                with self._lock:
                    self.refused += 1
                assert time.monotonic() < deadline, "a block is not stored for too long"
                time.sleep(PAUSE)
            else:
                with self._lock:
                    self.stored += REQUESTS
                return

    def more(self, requests: int = 3 * WORKERS * REQUESTS) -> None:
        """Returns when so many more are stored."""
        wanted, deadline = self.stored + requests, time.monotonic() + PATIENCE
        while self.stored < wanted:
            assert time.monotonic() < deadline, "the workers come no further"
            time.sleep(PAUSE)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        with ThreadPoolExecutor(WORKERS) as pool:
            workers = [pool.submit(self.work, worker) for worker in range(WORKERS)]
            try:
                yield
            finally:
                self._ending.set()
            for worker in workers:
                worker.result()


def drill(cluster: ClickHouseCluster, seconds: float) -> dict[str, int]:
    """What was acknowledged, and how often something was refused meanwhile."""
    url = cluster.url("drill")
    with contextlib.closing(ClickHouseStore.open(url)) as store:
        load = Load(url)
        with load.running():
            load.more()
            _one_replica(cluster, store, load, seconds)
            _a_shard(cluster, store, load, seconds)
            load.more()
        _compare(store, load.stored)
        _patiently(store.roll)
        _compare(store, load.stored)
        _clean(cluster, store, load.stored)
        _compare(store, load.stored)
    return {"stored": load.stored, "refused": load.refused}


def _one_replica(
    cluster: ClickHouseCluster, store: ClickHouseStore, load: Load, seconds: float
) -> None:
    """Storing and reading go on without it."""
    replica = cluster.shards[0][0]
    replica.kill()
    load.more()
    time.sleep(seconds)
    assert _patiently(lambda: store.summary(DAY).requests) > 0
    replica.start()
    load.more()


def _a_shard(
    cluster: ClickHouseCluster, store: ClickHouseStore, load: Load, seconds: float
) -> None:
    """Workers wait, and who reads is told, not shown a part for the whole."""
    for replica in cluster.shards[1]:
        replica.kill()
    refused, deadline = load.refused, time.monotonic() + PATIENCE
    while load.refused == refused:
        assert time.monotonic() < deadline, "blocks are stored without a shard"
        time.sleep(PAUSE)
    try:
        found = store.summary(DAY)
    except StoreUnavailableError:
        time.sleep(seconds)
    else:
        raise AssertionError(f"half of the cluster is away, and it says {found}")
    for replica in cluster.shards[1]:
        replica.launch()
    for replica in cluster.shards[1]:
        replica.wait()
    load.more()


def _compare(store: ClickHouseStore, stored: int) -> None:
    """All that was acknowledged counts, and nothing twice."""
    assert _patiently(lambda: store.summary(DAY).requests) == stored
    ledger = _patiently(lambda: store.ledger(DAY))
    assert (ledger.stored, ledger.lost) == (stored, 0)


def _clean(cluster: ClickHouseCluster, store: ClickHouseStore, stored: int) -> None:
    """When what refused blocks left is dead, every server deletes it, and has all the rest."""
    with mock.patch.object(attempts, "DEAD", -1):
        _patiently(lambda: store.maintain(0))
    asked = "select count(), uniqExact(id) from drill.request"
    deadline = time.monotonic() + PATIENCE
    for server in cluster.servers:
        while (found := server.ask(asked)) != [(stored, stored)]:
            assert time.monotonic() < deadline, f"{server.host} has {found} of {stored}"
            time.sleep(PAUSE)


def _patiently(ask: Callable[[], T]) -> T:
    """A replica that comes back needs a moment to know what it missed, and says so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except StoreUnavailableError:
            assert time.monotonic() < deadline, "the cluster does not come back"
            time.sleep(PAUSE)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with (
        tempfile.TemporaryDirectory() as folder,
        clickhouse_cluster(Path(folder)) as cluster,
    ):
        began = time.monotonic()
        said = drill(cluster, seconds)
        print(
            f"{said['stored']} requests acknowledged and stored once, on two shards with two "
            f"replicas each; {said['refused']} times a block had to wait. "
            f"{time.monotonic() - began:.0f} s"
        )


if __name__ == "__main__":
    main()
