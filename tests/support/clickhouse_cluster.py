"""Two shards with two replicas each, and the ZooKeeper they agree by: Debian's, on loopback."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .clickhouse import START, ClickHouseServer
from .waiting import free_port

NAME: Final = "drill"
JAR: Final = "/usr/share/java/zookeeper.jar"
ZOOKEEPER: Final = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
CONFIG: Final = """tickTime=500
dataDir={folder}/data
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr
"""
#: What a server knows of the others, and which one it is.
MORE: Final = """
  <zookeeper><node><host>127.0.0.1</host><port>{zookeeper}</port></node>
    <session_timeout_ms>3000</session_timeout_ms></zookeeper>
  <macros><shard>{shard}</shard><replica>{replica}</replica></macros>
  <remote_servers><{name}>{shards}</{name}></remote_servers>
"""
SHARD: Final = "<shard><internal_replication>true</internal_replication>{replicas}</shard>"
REPLICA: Final = "<replica><host>127.0.0.1</host><port>{port}</port></replica>"


class ZooKeeper:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        folder.mkdir(parents=True)
        (folder / "zoo.cfg").write_text(CONFIG.format(folder=folder, port=self.port))
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["java", "-Xmx128m", "-cp", JAR, ZOOKEEPER, str(folder / "zoo.cfg")],
                stdout=log, stderr=log,
            )  # fmt: skip

    def wait(self) -> None:
        deadline = time.monotonic() + START
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1) as connection,
            ):
                connection.sendall(b"srvr")
                # Before it takes sessions, too, it says "imok" to who asks "ruok".
                if b"Mode:" in connection.makefile("rb").read():
                    return
            assert time.monotonic() < deadline, "ZooKeeper does not start"
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)


class ClickHouseCluster:
    """`shards[0][1]` is the second replica of the first shard."""

    def __init__(self, folder: Path) -> None:
        self.zookeeper = ZooKeeper(folder / "zookeeper")
        ports = [[(free_port(), free_port()) for _ in range(2)] for _ in range(2)]
        shards = "".join(
            SHARD.format(replicas="".join(REPLICA.format(port=port) for port, _ in shard))
            for shard in ports
        )
        self.shards = [
            [
                ClickHouseServer(
                    folder / f"{shard}-{replica}",
                    MORE.format(
                        zookeeper=self.zookeeper.port, shard=shard, replica=replica, name=NAME,
                        shards=shards,
                    ),
                    pair,
                )
                for replica, pair in enumerate(replicas, 1)
            ]
            for shard, replicas in enumerate(ports, 1)
        ]  # fmt: skip

    @property
    def servers(self) -> list[ClickHouseServer]:
        return [server for shard in self.shards for server in shard]

    def url(self, database: str) -> str:
        hosts = ",".join(server.host for server in self.servers)
        return f"clickhouse://{hosts}/{database}?cluster={NAME}"

    def start(self) -> None:
        self.zookeeper.wait()
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait()

    def stop(self) -> None:
        for server in self.servers:
            server.stop()
        self.zookeeper.stop()


@contextlib.contextmanager
def clickhouse_cluster(folder: Path) -> Iterator[ClickHouseCluster]:
    cluster = ClickHouseCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
