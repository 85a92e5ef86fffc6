"""How the tables lie: on one server, or replicated and sharded over a cluster."""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from clickhouse_driver import errors

from flask_performance.server.settings import SettingsError
from flask_performance.server.store.base import StoreUnavailableError

from .address import Address
from .cluster import Cluster
from .engine import Engine, Server, sentence
from .schema import alone

log = logging.getLogger(__name__)
#: For every question. A join finds null, not a default, where there is nothing.
SETTINGS: Final = {"join_use_nulls": 1}


@dataclass(frozen=True)
class Layout:
    """An engine for questions, one for each shard's own tables, and how these are called."""

    engine: Engine
    shards: Sequence[Engine]
    #: What the names of a shard's own tables end in.
    local: str = ""
    #: What stands for `system.parts` of all shards.
    parts: str = "system.parts"
    #: Its name on servers that were not asked by it.
    database: str = ""

    @classmethod
    def of(cls, address: Address, *, everywhere: bool = False) -> "Layout":
        """Creates what is missing. Raises SettingsError; of a cluster where none of its servers
        answers, or not `everywhere`."""
        try:
            if address.cluster is None:
                return cls._on_a_server(address)
            return cls._on_a_cluster(Cluster.of(address), everywhere)
        except (errors.Error, StoreUnavailableError) as error:
            raise SettingsError(
                f"ClickHouse at {address} cannot be used: {sentence(error)}"
            ) from error

    @classmethod
    def _on_a_server(cls, address: Address) -> "Layout":
        create_database(address)
        engine = Server(address, SETTINGS)
        layout = cls(engine, [engine])
        layout.create()
        return layout

    @classmethod
    def _on_a_cluster(cls, cluster: Cluster, everywhere: bool) -> "Layout":
        """Server by server, which says whose turn it was when one did not answer, and needs no
        queue of statements such as ON CLUSTER has."""
        away: dict[Address, StoreUnavailableError] = {}
        for node in cluster.nodes:
            try:
                cls._create_on(node, cluster)
            except StoreUnavailableError as error:
                away[node] = error
        if away and (everywhere or len(away) == len(cluster.nodes)):
            raise next(iter(away.values()))
        for node, reason in away.items():
            log.warning(
                "ClickHouse at %(node)s does not answer (%(error)s). If tables are missing there, "
                "`flask-performance migrate` makes them when it is back.",
                {"node": str(node), "error": sentence(reason)},
            )
        return cls(
            cluster.engine(SETTINGS),
            [Server(shard) for shard in cluster.shards],
            local="_local",
            parts=f"cluster('{cluster.name}', system, parts)",
            database=cluster.address.database,
        )

    @staticmethod
    def _create_on(node: Address, cluster: Cluster) -> None:
        create_database(node)
        with closing(Server(node)) as server:
            for table in cluster.tables():
                server.do(table)

    def create(self) -> None:
        """On a single engine. Safe twice, and by two at once."""
        for table in alone():
            self.engine.do(table)

    def close(self) -> None:
        for engine in (self.engine, *self.shards):
            engine.close()


def create_database(address: Address) -> None:
    """Where it is missing: who may not create one, needs none to be created."""
    with closing(Server(replace(address, database=""))) as server:
        _, [names] = server.ask("select name from system.databases")
        if address.database not in names:
            server.do(f"create database if not exists {address.database}")
