"""The drill of the broker's cluster: nodes die under load and come back.

    python -m tests.rabbitmq_cluster [ROUNDS]

Three nodes of RabbitMQ, PostgreSQL, ClickHouse, a collector, a web process and two workers, all on
this machine. Clients post without a pause. Each round the node that leads the queue dies, and comes
back; at the end two die at once, so that nothing can be promised any more: the collector has to
refuse what it cannot keep. Then what is stored is compared with what was acknowledged.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from flask_performance.server.queue.celery import QUEUE
from flask_performance.server.tasks import TIMED

from .drills.play import acknowledged, assert_acknowledged_is_stored_once, loaded, more
from .drills.workers import project_of, started
from .support.clickhouse import clickhouse_server
from .support.load import Client
from .support.postgresql import running_postgresql
from .support.rabbitmq_cluster import RabbitMQCluster, rabbitmq_cluster
from .support.scaled import Scaled, Servers
from .support.waiting import wait_for

PATIENCE: Final = 120.0


def drill(folder: Path, rounds: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    with ExitStack() as stack:
        cluster = stack.enter_context(rabbitmq_cluster())
        database = stack.enter_context(running_postgresql(durable=True))
        store = stack.enter_context(clickhouse_server(folder / "clickhouse"))
        servers = Servers(database, cluster.nodes[0], store)
        world = Scaled(folder, servers, FLASK_PERFORMANCE_QUEUE_URL=cluster.url)
        for part, only in ((world.web, "web"), (world.collector, "collector")):
            stack.callback(part.end)
            part.spawn("--only", only).wait_until_ready()
        project = project_of(world)
        for name in ("one", "two"):
            started(world, name, stack)
        assert (cluster.queues()[QUEUE], cluster.queues()[TIMED]) == (("quorum", 3),) * 2
        with loaded(project) as clients:
            for _ in range(rounds):
                _the_leader_dies(cluster, clients)
                outcomes["the queue's leader was killed"] += 1
            outcomes["503 without a majority"] = _two_die(cluster, clients)
        assert_acknowledged_is_stored_once(project, clients)
        outcomes["acknowledged requests, all stored once"] = acknowledged(clients)
    return outcomes


def _the_leader_dies(cluster: RabbitMQCluster, clients: Sequence[Client]) -> None:
    more(clients)
    leader = cluster.leader(QUEUE)
    leader.kill()
    more(clients)
    leader.start()
    more(clients)


def _two_die(cluster: RabbitMQCluster, clients: Sequence[Client]) -> int:
    """One of three cannot promise anything; how often clients were told so."""
    before = _refused(clients)
    for node in cluster.nodes[1:]:
        node.kill()
    wait_for(lambda: _refused(clients) > before, PATIENCE, "the collector to refuse")
    said = acknowledged(clients)
    refused = _refused(clients)
    wait_for(lambda: _refused(clients) > refused + 20, PATIENCE, "the collector to go on so")
    assert acknowledged(clients) == said, "acknowledged what one node of three has"
    for node in cluster.nodes[1:]:
        node.start()
    more(clients)
    return _refused(clients) - before


def _refused(clients: Sequence[Client]) -> int:
    return sum(client.refused[503] for client in clients)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rabbitmq-drill-") as folder:
        for words, count in drill(Path(folder), rounds).items():
            print(f"{count:>8,}  {words}")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
