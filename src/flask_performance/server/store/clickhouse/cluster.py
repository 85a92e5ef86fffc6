"""A cluster as one of its servers describes it: shards, and replicas of each.

Small tables that everything hangs on (`begun`, `commit`, names) are whole on every server. A write
to them counts when most servers have it, and a server that lacks the last such write refuses to
answer, so that whichever server is asked knows what was committed. Requests are cut into shards by
project and instance. The first replica of a shard that answers takes them, and the others fetch
them; `?quorum=2` makes a block wait for the second copy, which three replicas a shard can afford.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from flask_performance.server.settings import SettingsError

from .address import Address
from .engine import Engine, Server
from .queries import filled
from .schema import clustered, everywhere

#: Writes return when the shards have them, the same replica is asked that was written to, and what
#: is written twice on purpose is not taken for a repeat.
SETTINGS: Final = {
    "insert_distributed_sync": 1,
    "load_balancing": "in_order",
    "insert_deduplicate": 0,
    "select_sequential_consistency": 1,
    "insert_quorum_timeout": 20_000,
}
ASKED: Final = (
    "select shard_num, host_name, port from system.clusters where cluster = $name "
    "order by shard_num, replica_num"
)


@dataclass(frozen=True)
class Cluster:
    """The addresses of its servers, and of each shard's replicas together."""

    name: str
    address: Address
    nodes: tuple[Address, ...]
    shards: tuple[Address, ...]

    @classmethod
    def of(cls, address: Address) -> "Cluster":
        """Raises SettingsError where the servers know of no such cluster."""
        name = address.cluster or ""
        server = Server(replace(address, database=""))
        _, columns = server.ask(filled(ASKED, {"name": name}))
        server.close()
        hosts: dict[int, list[tuple[str, int]]] = {}
        for shard, host, port in zip(*columns, strict=True):
            hosts.setdefault(shard, []).append((host, port))
        if not hosts:
            raise SettingsError(f"ClickHouse at {address} knows no cluster {name!r}.")
        return cls(
            name,
            address,
            tuple(replace(address, hosts=(host,)) for shard in hosts.values() for host in shard),
            tuple(replace(address, hosts=tuple(shard)) for shard in hosts.values()),
        )

    def tables(self) -> list[str]:
        """Statements for each server. Safe twice, and by two at once."""
        return clustered(self.address.database, self.name)

    def engine(self, settings: Mapping[str, Any]) -> Engine:
        """For all questions, and writes that are kept by as many servers as they need."""
        most = len(self.nodes) // 2 + 1
        quorums = dict.fromkeys(everywhere(), most)
        return Server(self.address, {**settings, **SETTINGS}, quorums, self.address.quorum)
