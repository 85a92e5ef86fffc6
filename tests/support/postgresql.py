"""A PostgreSQL server of Debian's, on a free port and a folder of its own, gone afterwards."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg

from .platform import running_pid
from .waiting import free_port, wait_for

#: Where Debian puts the programs of each version.
PROGRAMS: Final = Path("/usr/lib/postgresql")
USER: Final = "flask_performance"
START_SECONDS: Final = 60.0


class PostgreSQL:
    """One server. Nothing it holds needs to survive the machine, unless `durable`."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder = folder
        self._programs = max(PROGRAMS.glob("*/bin"), key=lambda path: float(path.parent.name))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._durable = durable
        if os.getuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(folder, "postgres")
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
                  f"--username={USER}", f"--pgdata={folder / 'data'}")  # fmt: skip

    def _command(self, program: str, *arguments: str) -> list[str]:
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return [
            *(as_user if os.getuid() == 0 else []), str(self._programs / program), *arguments
        ]  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            self._command(program, *arguments), capture_output=True, text=True, cwd="/", check=False
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Returns when it answers."""
        fast = [] if self._durable else ["fsync=off", "full_page_writes=off"]
        settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}",
                    "synchronous_commit=on" if self._durable else "synchronous_commit=off",
                    "shared_buffers=32MB", "max_connections=200", *fast]  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(
                    "postgres", "-D", str(self._folder / "data"), "-p", str(self.port),
                    *(part for setting in settings for part in ("-c", setting)),
                ),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        wait_for(self._answers, START_SECONDS, "PostgreSQL to answer")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        with suppress(psycopg.OperationalError), psycopg.connect(self.address("postgres")):
            return True
        return False

    @property
    def pid(self) -> int:
        return running_pid(self._process)

    def stop(self) -> None:
        """At once, whoever is connected ("fast" in its own words)."""
        if self._process is not None:
            self._process.send_signal(2)
            self._process.wait(START_SECONDS)
            self._process = None

    def address(self, database: str) -> str:
        """What psycopg connects to."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def url(self, database: str) -> str:
        """What FLASK_PERFORMANCE_DATABASE_URL is set to."""
        return self.address(database).replace("postgresql:", "postgresql+psycopg:")

    def create(self, template: str = "template0") -> str:
        """The name of a new database, empty or the copy of another one."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f'create database "{name}" template "{template}"')
        return name

    def drop(self, name: str) -> None:
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)')


@contextmanager
def running_postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """In a folder that its own user may reach, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        Path(folder).chmod(0o755)
        server = PostgreSQL(Path(folder), durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()
