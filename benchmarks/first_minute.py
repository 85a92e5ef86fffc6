"""The newcomer's first minute: `make demo` in a fresh clone and again, serve ready, serve idle.

    python -m benchmarks.first_minute

The clone is of this repository's last commit. Packages come from where pip and npm are set up to
get them; a machine with a slow network takes longer.
"""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.support.http import answers
from tests.support.platform import Platform, environment, running_platform
from tests.support.waiting import free_port, wait_for

from .report import keep, machine

ROOT = Path(__file__).parents[1]
STARTS = 5
IDLE_SECONDS = 10
MEGABYTE = 1_000_000


def serve_ready(folder: Path) -> list[float]:
    """Seconds from the command to /health, in a new folder and then in the same one again."""
    took = []
    for _ in range(STARTS):
        platform = Platform(folder / "ready")
        started = time.monotonic()
        platform.start()
        took.append(time.monotonic() - started)
        assert platform.stop() == 0
    return took


def serve_idle(folder: Path) -> float:
    """Resident memory in MB, some time after the start."""
    with running_platform(folder / "idle") as platform:
        time.sleep(IDLE_SECONDS)
        assert platform.process is not None
        process = psutil.Process(platform.process.pid)
        processes = [process, *process.children(recursive=True)]
        return sum(one.memory_info().rss for one in processes) / MEGABYTE


def make_demo(clone: Path) -> float:
    """Seconds from `make demo` to its line, with the log-in page answering."""
    port = free_port()
    started = time.monotonic()
    process = subprocess.Popen(
        ["make", "demo", f"ARGS=--port {port}"],
        cwd=clone,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        line = next((line for line in process.stdout if line.startswith("Open ")), "")
        assert line, "make demo ended by itself"
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/login"), 10, "the log-in page")
        return time.monotonic() - started
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


def main() -> None:
    on = machine()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first, *again = serve_ready(folder)
        figures["serve ready, new folder, s"] = round(first, 2)
        figures["serve ready, used folder, slowest, s"] = round(max(again), 2)
        figures["serve idle, MB"] = round(serve_idle(folder), 1)
        clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        figures["make demo, fresh clone, s"] = round(make_demo(clone), 1)
        figures["make demo, second time, s"] = round(make_demo(clone), 1)
    keep("first_minute", on, figures)


if __name__ == "__main__":
    main()
