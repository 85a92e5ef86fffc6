"""Three nodes of RabbitMQ that are one cluster: Debian's, on loopback."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .brokers import Broker, RabbitMQ


class Node(RabbitMQ):
    """Its death leaves the name service alone, which the others need."""

    def kill(self) -> None:
        Broker.kill(self)

    def join(self, other: RabbitMQ) -> None:
        self.control("stop_app")
        self.control("join_cluster", other.name)
        self.control("start_app")


class RabbitMQCluster:
    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        """All of them; the first that answers is talked to."""
        return ";".join(node.url for node in self.nodes) + "?queue=quorum"

    def queues(self) -> dict[str, tuple[str, int]]:
        """By name: the type, and on how many nodes it is."""
        table = self.nodes[0].control("-q", "list_queues", "--no-table-headers",
                                      "name", "type", "members")  # fmt: skip
        rows = (line.split("\t") for line in table.splitlines() if line)
        return {name: (kind, members.count("@")) for name, kind, members in rows}

    def leader(self, queue: str) -> Node:
        """The node that has to be asked for what waits in it."""
        table = self.nodes[0].control("-q", "list_queues", "--no-table-headers", "name", "leader")
        leads = dict(line.split("\t") for line in table.splitlines() if line)
        return next(node for node in self.nodes if node.name == leads[queue])


@contextmanager
def rabbitmq_cluster(nodes: int = 3) -> Iterator[RabbitMQCluster]:
    with ExitStack() as stack:
        made: list[Node] = []
        for _ in range(nodes):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rabbitmq-")))
            folder.chmod(0o755)
            node = Node(folder, made[0] if made else None)
            stack.callback(RabbitMQ.kill, node)
            node.start()
            if made:
                node.join(made[0])
            made.append(node)
        yield RabbitMQCluster(made)
