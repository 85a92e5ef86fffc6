"""The platform past one machine, all of it on this one: servers, and processes to be killed."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from .brokers import Broker, RabbitMQ, running
from .clickhouse import ClickHouseServer, clickhouse_server
from .platform import Platform, environment, running_pid
from .postgresql import PostgreSQL, running_postgresql
from .waiting import wait_for

CELERY: Final = [sys.executable, "-m", "celery", "-A", "flask_performance.server.tasks"]
SECRET: Final = "0123456789abcdef" * 4
START_SECONDS: Final = 60.0


class Process:
    """A worker or beat; its log says when it is ready."""

    def __init__(self, log: Path, ready: str, arguments: list[str], **settings: str) -> None:
        self.log = log
        self._from = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [*CELERY, *arguments], env=environment(**settings), stdin=subprocess.DEVNULL,
                stdout=file, stderr=file,
            )  # fmt: skip
        self._ready = ready

    @property
    def pid(self) -> int:
        return running_pid(self._process)

    def wait(self) -> None:
        self.wait_to_say(self._ready)

    def wait_to_say(self, words: str) -> None:
        """Until its log has them."""

        def said() -> bool:
            text = self.log.read_bytes()[self._from :].decode(errors="replace")
            assert self._process.poll() is None, text[-5000:]
            return words in text

        wait_for(said, START_SECONDS, f"{words!r} in {self.log}")

    def kill(self) -> None:
        """SIGKILL, to it and its children: nothing gets to say goodbye."""
        if self._process.poll() is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for child in children:
                child.kill()
        self._process.wait(30)

    def kill_child(self) -> bool:
        """SIGKILL to the child that works, if it is there."""
        children = psutil.Process(self._process.pid).children()
        for child in children[:1]:
            child.kill()
        return bool(children)

    def end(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._process.wait(60)


@dataclass(frozen=True)
class Servers:
    """Three servers that run. Each set of homes on them is empty, and knows of no other."""

    database: PostgreSQL
    broker: Broker
    store: ClickHouseServer

    def homes(self) -> dict[str, str]:
        """Settings of a new set."""
        name = self.database.create()
        return {
            "FLASK_PERFORMANCE_DATABASE_URL": self.database.url(name),
            "FLASK_PERFORMANCE_QUEUE_URL": self.broker.space(),
            "FLASK_PERFORMANCE_STORE_URL": self.store.url(name),
            "FLASK_PERFORMANCE_SECRET": SECRET,
        }


class Scaled:
    """A new set of homes, and the processes that a test starts."""

    def __init__(self, folder: Path, servers: Servers, **more: str) -> None:
        """`more`: settings of all processes."""
        self.folder = folder
        self.database, self.broker, self.store = servers.database, servers.broker, servers.store
        self.settings = {**servers.homes(), **more}
        #: Of the accounts, for psycopg.
        self.address = self.settings["FLASK_PERFORMANCE_DATABASE_URL"].replace("+psycopg", "")
        self.web = Platform(folder / "web", **self.settings)
        self.collector = Platform(folder / "collector", **self.settings)

    def worker(self, name: str, children: int = 1) -> Process:
        return Process(
            self.folder / f"{name}.log", f"{name}@", ["worker", "--hostname", f"{name}@%h",
            "--concurrency", str(children), "--loglevel", "INFO",
            "--without-gossip", "--without-mingle"],
            FLASK_PERFORMANCE_DATA=str(self.folder / name), **self.settings,
        )  # fmt: skip

    def beat(self) -> Process:
        return Process(
            self.folder / "beat.log", "is starting.", ["beat", "--loglevel", "INFO"],
            FLASK_PERFORMANCE_DATA=str(self.folder / "beat"), **self.settings,
        )  # fmt: skip


@contextmanager
def three_servers(kind: type[Broker] = RabbitMQ, *, durable: bool = True) -> Iterator[Servers]:
    """`durable` is about PostgreSQL alone, and costs a sync for every commit."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clickhouse-")))
        database = stack.enter_context(running_postgresql(durable=durable))
        broker = stack.enter_context(running(kind))
        store = stack.enter_context(clickhouse_server(folder / "server"))
        yield Servers(database, broker, store)


@contextmanager
def servers(kind: type[Broker] = RabbitMQ) -> Iterator[Scaled]:
    """Three servers, empty; processes are the caller's."""
    with three_servers(kind) as three, tempfile.TemporaryDirectory(prefix="scaled-") as folder:
        yield Scaled(Path(folder), three)


@contextmanager
def scaled(kind: type[Broker] = RabbitMQ) -> Iterator[Scaled]:
    """With a collector and a web process; workers are the caller's."""
    with servers(kind) as world, ExitStack() as stack:
        for part, only in ((world.web, "web"), (world.collector, "collector")):
            stack.callback(part.end)
            part.spawn("--only", only).wait_until_ready()
        yield world
