"""The demo's processes: started one by one, ended in the order in which nothing is lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

#: How long a process may take to end after SIGTERM before it is killed.
END_SECONDS: Final = 12.0
POLL_SECONDS: Final = 0.05
CHILD: Final = "flask_performance.server.demo.child"


class DemoError(Exception):
    """Why the demo cannot go on. The message is for the person at the terminal."""


class Child:
    """A process with a log file of its own. It does not see the terminal's Ctrl-C: we end it."""

    def __init__(
        self, name: str, command: list[str], environ: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the demo's own command lines
                [sys.executable, "-m", CHILD, str(os.getpid()), *command],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Raises DemoError when it ends before it is ready, or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(
                    f"The {self.name} was not ready after {seconds:g} s; see {self.log}"
                )
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raises DemoError, with its own last words, when the process has ended."""
        if self._process.poll() is not None:
            words = self.log.read_text(errors="replace").strip().splitlines()
            last = words[-1] if words else f"it ended with exit code {self._process.returncode}"
            raise DemoError(f"The {self.name} stopped: {last} (all of it is in {self.log})")

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # and whatever it started
            self._process.wait()


class Children:
    """Those started so far. Leaving the `with` block ends them, the last one first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: list[Child] = []

    def start(self, name: str, command: list[str], environ: Mapping[str, str]) -> Child:
        child = Child(name, command, environ, self._logs / f"demo-{name}.log")
        self._started.append(child)
        return child

    def check(self) -> None:
        """Raises DemoError when one has ended by itself."""
        for child in self._started:
            child.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must not leave half of them behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while self._started:
            self._started.pop().end()


def port_is_free(host: str, port: int) -> bool:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether something on this machine answers on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
