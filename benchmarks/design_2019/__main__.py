"""The anchor: the design of 2019 under the same load on the same machine.

    python -m benchmarks.design_2019 [--seconds 30]

Flask on gunicorn (two processes of eight threads) queues each request with Celery on Redis; a
worker of two processes inserts each as a row into PostgreSQL, a commit a row. Redis has its usual
settings and loses all since its last snapshot when it is killed: no acknowledgement is durable.

Needs Debian's packages `redis-server`, `postgresql` and `wrk`. Both servers run on free ports with
folders of their own. Python's packages go into `$DESIGN_2019_VENV` (default: a temporary folder).
"""

import argparse
import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.support.http import answers
from tests.support.platform import Project
from tests.support.waiting import free_port, wait_for

from ..collector import most
from ..report import keep, machine

HERE: Final = Path(__file__).parent
TABLE: Final = (
    "create table request (id bigserial primary key, key text, time_used double precision, "
    "created_at timestamp, path text, status_code smallint, method text, endpoint text)"
)


def _environment() -> Path:
    folder = Path(os.environ.get("DESIGN_2019_VENV", Path(tempfile.gettempdir()) / "design-2019"))
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        requirements = str(HERE / "requirements.txt")
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
    return folder / "bin"


@contextlib.contextmanager
def _running(command: Sequence[str | Path], log: Path, **how: Any) -> Iterator[None]:
    with log.open("ab") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, **how)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _tools() -> Path:
    """PostgreSQL's programs, which Debian keeps out of the path."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name))


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The URL of a new database. PostgreSQL does not run as root: then it is `postgres`."""
    tools, port, data = _tools(), free_port(), folder / "postgres"
    data.mkdir()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        folder.chmod(0o755)
        shutil.chown(data, user)
    how: dict[str, Any] = {"user": user, "cwd": "/"} if os.geteuid() == 0 else {}
    subprocess.run([tools / "initdb", "-D", data, "-U", "bench", "-A", "trust"],
                   check=True, stdout=subprocess.DEVNULL, **how)  # fmt: skip
    command = [tools / "postgres", "-D", data, "-p", str(port), "-k", data, "-h", "127.0.0.1"]
    with _running(command, folder / "postgres.log", **how):
        address = f"postgresql://bench@127.0.0.1:{port}/postgres"
        wait_for(lambda: _psql(address, "select 1") == "1", 30, "PostgreSQL")
        _psql(address, TABLE)
        yield address


def _psql(address: str, statement: str) -> str:
    done = subprocess.run(["psql", "-qAtc", statement, address],
                          capture_output=True, text=True, check=False)  # fmt: skip
    return done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    on, programs = machine(), _environment()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(_postgres(folder))
        redis, port = free_port(), free_port()
        broker = f"redis://127.0.0.1:{redis}/0"
        (folder / "redis").mkdir()
        start = lambda *command, cwd=HERE: stack.enter_context(  # noqa: E731
            _running(command, folder / "log", cwd=cwd,
                     env={**os.environ, "BROKER": broker, "DATABASE": database}))  # fmt: skip
        start("redis-server", "--port", str(redis), "--bind", "127.0.0.1", cwd=folder / "redis")
        start(programs / "celery", "-A", "app:celery", "worker", "-c", "2", "-l", "error")
        start(
            programs / "gunicorn", "-w", "2", "--threads", "8", "-b", f"127.0.0.1:{port}", "app:app"
        )
        dsn = f"http://127.0.0.1:{port}/v1/collector/{'a' * 32}"
        project = Project("", "", dsn, None)  # type: ignore[arg-type]
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/", 404), 60, "gunicorn")
        most(project, 1)
        wait_for(
            lambda: _psql(database, "select count(*) > 0 from request") == "t", 60, "the worker"
        )
        before = int(_psql(database, "select count(*) from request"))
        began = time.monotonic()
        figures = most(project, given.seconds)
        rows = int(_psql(database, "select count(*) from request")) - before
        figures |= {"stored a second": round(rows / (time.monotonic() - began))}
    keep("design_2019/results", on, figures)


if __name__ == "__main__":
    sys.exit(main())
