"""RabbitMQ and Redis of Debian's, each on free ports and a folder of its own, gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from .platform import running_pid
from .waiting import free_port, wait_for

START_SECONDS: Final = 90.0
RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL: Final = RABBITMQ.with_name("rabbitmqctl")


class Broker(ABC):
    """A server of the tests' own; `kill` and `start` as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._spaces = 0

    @property
    def pid(self) -> int:
        return running_pid(self._process)

    @property
    @abstractmethod
    def url(self) -> str:
        """What FLASK_PERFORMANCE_QUEUE_URL is set to."""

    def space(self) -> str:
        """The URL of an empty part that shares nothing with those given before."""
        self._spaces += 1
        return self.url if self._spaces == 1 else self._another(self._spaces)

    @abstractmethod
    def _another(self, number: int) -> str: ...

    @abstractmethod
    def _command(self) -> tuple[list[str], dict[str, str]]:
        """What starts it, and its environment."""

    @abstractmethod
    def _answers(self) -> bool: ...

    def start(self) -> None:
        """Returns when it answers."""
        command, environment = self._command()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

        def ready() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "log").read_text()[-5000:]
            return self._answers()

        wait_for(ready, START_SECONDS, f"{type(self).__name__} to answer", every=0.1)

    def kill(self) -> None:
        """SIGKILL, to it and whatever it started."""
        if self._process is None:
            return
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for child in children:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        self._process.wait(START_SECONDS)
        self._process = None


class Redis(Broker):
    """With an append-only file that is synced before it answers: what docs/scale.md asks for."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _another(self, number: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{number - 1}"

    def _command(self) -> tuple[list[str], dict[str, str]]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
                   "--appendonly", "yes", "--appendfsync", "always", "--save", ""]  # fmt: skip
        return ["redis-server", *options], dict(os.environ)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as there:
            there.sendall(b"PING\r\n")
            return there.recv(16).startswith(b"+PONG")
        return False


class RabbitMQ(Broker):
    """A node of its own name, found by nobody else."""

    def __init__(self, folder: Path, beside: "RabbitMQ | None" = None) -> None:
        """`beside`: a node that this one shall be able to join."""
        super().__init__(folder)
        self._distribution = free_port()
        # Nodes of a cluster find each other by one name service, and trust who has their secret.
        self._name_service: int = beside._name_service if beside else free_port()
        self._home: Path = beside._home if beside else folder
        # Debian's scripts run it as the user `rabbitmq`, who must reach the folder.
        if os.getuid() == 0:
            shutil.chown(folder, "rabbitmq", "rabbitmq")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\nlog.file = false\n"
            "vm_memory_high_watermark.relative = 0.8\ndisk_free_limit.absolute = 50MB\n"
        )
        (folder / "enabled_plugins").write_text("[].\n")

    @property
    def name(self) -> str:
        return f"test{self.port}@localhost"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def _another(self, number: int) -> str:
        name = f"space{number}"
        self.control("add_vhost", name)
        self.control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{name}"

    def control(self, *arguments: str) -> str:
        """What `rabbitmqctl` says of this node."""
        command, environment = self._as_user(str(CONTROL), *arguments)
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True,
            timeout=START_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _command(self) -> tuple[list[str], dict[str, str]]:
        return self._as_user(str(RABBITMQ))

    def _as_user(self, *command: str) -> tuple[list[str], dict[str, str]]:
        as_user = ["setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups"]
        values = {
            "HOME": self._home,
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": self._distribution,
            "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder,
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "enabled_plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self._name_service,
        }
        environment = {**os.environ, **{name: str(value) for name, value in values.items()}}
        return [*(as_user if os.getuid() == 0 else []), *command], environment

    def kill(self) -> None:
        """And its name service, which is a daemon beside it."""
        super().kill()
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.NoSuchProcess):
                if process.info["name"] == "epmd":
                    port = process.environ().get("ERL_EPMD_PORT")
                    if port == str(self._name_service):
                        process.kill()

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as there:
            there.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(there.recv(8))
        return False


@contextmanager
def running(kind: type[Broker]) -> Iterator[Broker]:
    """In a folder that its own user may reach, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix=kind.__name__.lower()) as folder:
        Path(folder).chmod(0o755)
        broker = kind(Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()
