"""Real apps under real servers, each a process on a free port."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .platform import environment
from .waiting import free_port, wait_for


@contextmanager
def serving(
    command: list[str], log: Path, folder: Path | None = None, **environ: str
) -> Iterator[str]:
    """The address of a server started by `command`, where `{port}` stands for the port.

    It runs in `folder`. SIGTERM ends it, which must succeed: an app's last batch is sent then.
    """
    port = free_port()
    filled = [part.replace("{port}", str(port)) for part in command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            filled, cwd=folder, env=environment(**environ), stdout=output, stderr=output
        )

    def accepts() -> bool:
        assert process.poll() is None, f"{filled} ended by itself:\n{log.read_text()}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(accepts, 60, f"{filled} to listen")
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def gunicorn(target: str, *options: str) -> list[str]:
    """The command for `serving`: two threaded workers unless told otherwise."""
    chosen = options or ("--workers", "2", "--threads", "4")
    return [sys.executable, "-m", "gunicorn", *chosen, "--bind", "127.0.0.1:{port}", target]


def flask_run(file: str) -> list[str]:
    """The command for `serving`: Flask's own development server."""
    return [sys.executable, "-m", "flask", "--app", file, "run", "--port", "{port}"]
