"""A real platform: `flask-performance serve` in its own process, and the commands."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
from click.testing import CliRunner

from .http import Api, answers
from .waiting import free_port, wait_for

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery staple"
COMMAND = [sys.executable, "-m", "flask_performance.server.cli"]
READY_SECONDS = 60.0
#: SIGTERM promises an end within this time (issue 2).
STOP_SECONDS = 10.0


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what a developer's shell may have set for the product."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLASK_", "METRIC_", "GRANIAN_"))
    }
    return {**kept, **more}


def run_command(
    data: Path, *arguments: str, stdin: str | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """A finished `flask-performance …` on a data folder."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(FLASK_PERFORMANCE_DATA=str(data), **settings),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def running_pid(process: subprocess.Popen[bytes] | None) -> int:
    assert process is not None, "it was not started"
    return process.pid


@dataclass(frozen=True)
class Project:
    """A project as its owner meets it: the address its apps post to, and the REST API."""

    id: str
    name: str
    dsn: str
    api: Api

    def get(self, part: str, **parameters: str | int) -> Any:
        return self.api.get(f"/projects/{self.id}/{part}", **parameters)

    def requests(self, **parameters: str | int) -> list[dict[str, Any]]:
        """Every stored request of the window, newest first."""
        return self.api.items(f"/projects/{self.id}/requests", **{"limit": 1000, **parameters})

    def wait_for_requests(self, count: int, seconds: float = 60) -> list[dict[str, Any]]:
        """All stored requests once there are at least `count`."""

        def enough() -> bool:
            return bool(self.get("summary")["requests"] >= count)

        wait_for(enough, seconds, f"{count} stored requests of {self.name!r}", every=0.1)
        return self.requests()


class Platform:
    """One data folder and the `serve` that works on it; can be killed and started again."""

    def __init__(self, data: Path, command: Sequence[str] = COMMAND, **always: str) -> None:
        """`always`: settings of `serve` and of the commands."""
        self.data = data
        self.always = always
        self._command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.with_name(f"{data.name}.log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return running_pid(self.process)

    def start(self, **settings: str) -> Self:
        """Returns once /health answers 200; AssertionError with the log when it ends first."""
        return self.spawn(**settings).wait_until_ready()

    def spawn(self, *options: str, **settings: str) -> Self:
        """Start it, and wait for nothing."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self._command,
                    "serve",
                    "--port",
                    str(self.port),
                    "--data",
                    str(self.data),
                    *options,
                ],
                env=environment(**self.always, **settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def wait_until_ready(self) -> Self:
        process = self.process
        assert process is not None

        def ready() -> bool:
            assert process.poll() is None, f"serve ended by itself:\n{self.log.read_text()}"
            return answers(f"{self.url}/health")

        wait_for(ready, READY_SECONDS, "serve to be ready", every=0.02)
        return self

    def stop(self) -> int:
        """SIGTERM; the exit code. TimeoutExpired when it takes longer than promised."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the process and whatever it started: nothing gets to say goodbye."""
        assert self.process is not None
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            for child in children:
                child.kill()
        self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """Gone, politely if it can be (which keeps what was measured of its coverage)."""
        if self.process is None:
            return
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            self.kill()

    def command(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of a command that must succeed, without its last newline."""
        done = run_command(self.data, *arguments, stdin=stdin, **self.always)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stderr}"
        return done.stdout.removesuffix("\n")

    def first_link(self) -> str:
        """The path of the link that makes the first account, as the log has it last."""
        pattern = rf"{re.escape(self.url)}(/signup\?first=\S+)\n"

        def last() -> str:
            found: list[str] = re.findall(pattern, self.log.read_text())
            return found[-1] if found else ""

        return wait_for(last, READY_SECONDS, "the link to the first account", every=0.02)

    def create(self, *arguments: str, stdin: str | None = None) -> str:
        """As `command`, in this process: a second less for each of the many worlds of the tests.
        The commands themselves are proved as processes in `server/accounts/test_commands.py`."""
        from flask_performance.server.commands import cli  # only who has a platform needs it

        own = {"FLASK_PERFORMANCE_DATA": str(self.data), **self.always}
        foreign = dict.fromkeys(os.environ.keys() - environment().keys())
        done = CliRunner().invoke(
            cli, arguments, input=stdin, env={**foreign, **own}, catch_exceptions=False
        )
        assert done.exit_code == 0, f"{arguments}: {done.exit_code}\n{done.stderr}"
        return done.stdout.removesuffix("\n")

    def create_user(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        self.create("user", "create", email, "--password-stdin", stdin=f"{password}\n")

    def create_project(self, name: str = "Shop", *more: str) -> str:
        """The new project's DSN."""
        return self.create("project", "create", name, *more)

    def api(self, email: str = EMAIL) -> Api:
        """The REST API as this user, with a new token."""
        return Api(self.url, self.create("token", "create", email))

    def project(self, name: str = "Shop") -> Project:
        """A new project of a new user, ready to receive and to be asked."""
        self.create_user()
        dsn = self.create_project(name)
        api = self.api()
        listed = next(one for one in api.items("/projects") if one["dsn"] == dsn)
        return Project(listed["id"], name, dsn, api)


@contextmanager
def running_platform(
    data: Path, command: Sequence[str] = COMMAND, **settings: str
) -> Iterator[Platform]:
    """A platform that is ready, and gone afterwards whatever happened."""
    platform = Platform(data, command)
    try:
        yield platform.start(**settings)
    finally:
        platform.end()
