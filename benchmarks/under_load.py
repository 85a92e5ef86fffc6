"""What the benchmarks of a loaded platform share: its usage, and a page that is open meanwhile."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psutil

from tests.support.browserless import Session, log_in
from tests.support.platform import EMAIL, PASSWORD, Platform, Project, running_platform

MB = 1024 * 1024


class Usage:
    """Processor time, memory and files of the platform while something runs."""

    def __init__(self, platform: Platform) -> None:
        assert platform.process is not None
        self._process = psutil.Process(platform.process.pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most_memory = 0
        self.cores = 0.0

    def __enter__(self) -> Self:
        self._began, self._cpu = time.monotonic(), self._cpu_seconds()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.cores = (self._cpu_seconds() - self._cpu) / (time.monotonic() - self._began)

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            self.most_memory = max(self.most_memory, self._process.memory_info().rss)


class Watcher:
    """One person who has the live page of a project open."""

    def __init__(self, platform: Platform, project: Project) -> None:
        self.events = 0
        self._ended = threading.Event()
        session = Session()
        shown = log_in(f"{platform.url}/projects/{project.id}", EMAIL, PASSWORD, session)
        parts = urlsplit(platform.url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._connection.request(
            "GET", f"/projects/{project.id}/live", headers={"Cookie": session.cookie}
        )
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, (shown.status, self._answer.read())
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, HTTPException, ValueError, AttributeError):
            while line := self._answer.readline():
                self.events += line.startswith(b"event:")

    def close(self) -> None:
        sock = self._connection.sock
        if sock is not None:
            sock.shutdown(2)
        self._thread.join(10)
        self._connection.close()


@contextlib.contextmanager
def watched(platform: Platform, project: Project) -> Iterator[Watcher]:
    watcher = Watcher(platform, project)
    try:
        yield watcher
    finally:
        watcher.close()


@contextlib.contextmanager
def loaded() -> Iterator[tuple[Platform, Project]]:
    """A platform of its own, in a temporary folder, with a project to send to."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_platform(Path(folder) / "data") as platform,
    ):
        yield platform, platform.project()


def stored(project: Project) -> int:
    return int(project.get("summary")["requests"])


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
