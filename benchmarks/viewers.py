"""What it costs the platform that people watch a project: nobody, one, a hundred.

    python -m benchmarks.viewers [SECONDS]

Two processes of an app report 200 requests a second together, of eight operations, each a batch
every half second; half an hour of their past is there. Meanwhile so many connections of a person
who is logged in listen to the live address of the project's overview, as open pages do. The
figures are of the platform's process alone; all else is a process of its own. The turns come round
several times, so that what else the machine does meets all of them; the median of each counts.
"""

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import psutil

from tests.browser.world import SECOND_US, Past
from tests.support.browserless import Session, log_in
from tests.support.platform import EMAIL, PASSWORD, Project, running_platform

from .report import keep, machine

#: Requests a second of all processes together, and how often each of these speaks.
RATE = 200
PROCESSES = 2
PACE = 0.5
VIEWERS = (0, 1, 100)
ROUNDS = 3
SECONDS = 15.0
#: Until connections are open and the first state is sent.
SETTLE = 3.0


@contextmanager
def traffic(project: Project) -> Iterator[None]:
    """A past, and requests until the end."""
    ended = threading.Event()
    processes = [Past(1800, RATE / 50, seed=seed) for seed in range(PROCESSES)]
    for process in processes:
        process.post(project.dsn)

    def go_on() -> None:
        count = int(RATE / PROCESSES * PACE)
        while not ended.wait(PACE - time.time() % PACE):
            now_us = time.time_ns() // 1000
            step_us = int(PACE * SECOND_US) // count
            for process in processes:
                process.serve(project.dsn, [now_us - step_us * ago for ago in range(count, 0, -1)])

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Audience:
    """So many who listen; what they hear is counted and thrown away."""

    def __init__(self, url: str, cookie: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._request = (
            f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookie}\r\n\r\n"
        ).encode()
        self.heard = 0

    async def listen(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(self._request)
        try:
            status = await reader.readline()
            assert b" 200 " in status, status
            while data := await reader.read(1 << 16):
                self.heard += len(data)
        finally:
            writer.close()

    async def turn(
        self, viewers: int, seconds: float, platform: psutil.Process
    ) -> dict[str, float]:
        """Processor time of the platform (% of a core) while so many listen, and what they hear."""
        tasks = [asyncio.create_task(self.listen()) for _ in range(viewers)]
        await asyncio.sleep(SETTLE)
        began, cpu, heard = time.monotonic(), cpu_seconds(platform), self.heard
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        figures = {
            "cpu": (cpu_seconds(platform) - cpu) / took * 100,
            "heard": (self.heard - heard) / took / max(1, viewers),
        }
        assert not any(task.done() for task in tasks), "who listens was cut off"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return figures


def cpu_seconds(platform: psutil.Process) -> float:
    times = platform.cpu_times()
    return float(times.user + times.system)


def measure(seconds: float, folder: Path) -> dict[str, Any]:
    with running_platform(folder / "data") as platform:
        project = platform.project()
        session = Session()
        page = f"{platform.url}/projects/{project.id}"
        with traffic(project):
            project.wait_for_requests(1)
            log_in(page, EMAIL, PASSWORD, session)
            assert platform.process is not None
            process = psutil.Process(platform.process.pid)
            audience = Audience(f"{page}/live", session.cookie)
            turns: dict[int, list[dict[str, float]]] = {viewers: [] for viewers in VIEWERS}
            for _ in range(ROUNDS):
                for viewers in VIEWERS:
                    turns[viewers].append(asyncio.run(audience.turn(viewers, seconds, process)))
                    print(viewers, turns[viewers][-1], flush=True)
    return _figures(turns)


def _figures(turns: dict[int, list[dict[str, float]]]) -> dict[str, Any]:
    cpu = {viewers: median(one["cpu"] for one in found) for viewers, found in turns.items()}
    none, one, many = (cpu[viewers] for viewers in VIEWERS)
    return {
        "requests a second": RATE,
        **{f"{viewers} viewers, % of a core": round(value, 1) for viewers, value in cpu.items()},
        "the first viewer adds, % of a core": round(one - none, 1),
        f"{VIEWERS[-1] - 1} more viewers add, % of a core": round(many - one, 1),
        f"{VIEWERS[-1]} viewers add, % of this machine": round(
            (many - none) / (psutil.cpu_count() or 1), 1
        ),
        "each hears, kB a second": round(
            median(found["heard"] for found in turns[VIEWERS[-1]]) / 1000, 1
        ),
    }


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    on = machine()
    with tempfile.TemporaryDirectory() as name:
        keep("viewers", on, measure(seconds, Path(name)))


if __name__ == "__main__":
    main()
