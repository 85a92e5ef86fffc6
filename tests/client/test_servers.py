"""Real servers: under each of them sent = seen, nothing hangs, and the end comes fast."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from tests.support.waiting import free_port

from .stub import Collector, wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
APP = "tests.client.served:app"

PYTHON = sys.executable
GUNICORN = f"{PYTHON} -m gunicorn {APP} --bind 127.0.0.1:{{port}} --log-level error --workers 2"
UWSGI = (
    f"{Path(PYTHON).with_name('uwsgi')} --http-socket 127.0.0.1:{{port}} --module {APP} --master "
    "--die-on-term --disable-logging --need-app --enable-threads --processes 2"
)
SERVERS = {
    "gunicorn sync": GUNICORN,
    "gunicorn sync preload": f"{GUNICORN} --preload",
    "gunicorn gthread": f"{GUNICORN} --threads 4",
    "gunicorn gthread preload": f"{GUNICORN} --threads 4 --preload",
    "gunicorn gevent": f"{GUNICORN} --worker-class gevent",
    "gunicorn gevent preload": f"{GUNICORN} --worker-class gevent --preload",
    "gunicorn max-requests": f"{GUNICORN} --max-requests 37",
    "waitress": f"{PYTHON} -m tests.client.served waitress {{port}}",
    "werkzeug": f"{PYTHON} -m tests.client.served werkzeug {{port}}",
    "granian": f"{PYTHON} -m granian --interface wsgi --port {{port}} --workers 2 "
    f"--no-access-log --log-level error {APP}",
    "uwsgi": UWSGI,
    "uwsgi lazy-apps threads": f"{UWSGI} --lazy-apps --threads 4",
    "flask run": f"{PYTHON} -m flask --app {APP} run --port {{port}}",
}
#: Its users end it by Ctrl-C; SIGTERM ends Python without a word.
ENDED_BY_SIGTERM = [name for name in SERVERS if name != "flask run"]
EXITING = ["gunicorn sync", "gunicorn gthread", "gunicorn gevent", "waitress", "flask run", "uwsgi"]
#: Without us as well, these hang now and then: granian and this one of gunicorn's under SIGINT, the
#: latter under HUP, too (gevent patches what the master has imported already).
DEAF_TO_SIGINT = {"granian", "gunicorn gevent preload"}
RELOADING = [
    name for name in SERVERS if name.startswith("gunicorn") and name != "gunicorn gevent preload"
]

#: Seconds: the two that we may take, and what the server itself needs on a slow machine.
LONGEST_END = 2 + 5


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int

    def get(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get_to_the_end(self, path: str) -> int:
        """The status, once the server has closed the connection: nothing of the request is left to
        be done then."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            with client.makefile("rb") as answer:
                return int(answer.read().split(b" ", 2)[1])

    def is_up(self) -> bool:
        assert self.process.poll() is None, "the server ended"
        try:
            return self.get("/up")[0] == 404
        except (OSError, HTTPException):
            return False

    def end(self, number: int = signal.SIGTERM) -> float:
        """Seconds from the signal to the end."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        return time.monotonic() - began


@contextmanager
def serving(name: str, collector: Collector, without: str = "") -> Iterator[Served]:
    port = free_port()
    command = [word for word in SERVERS[name].format(port=port).split() if word != without]
    if name.startswith("uwsgi") and not Path(command[0]).exists():
        pytest.skip("uWSGI is not installed")
    environ = {**os.environ, "METRIC_DSN": collector.dsn, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
    served = Served(process, port)
    try:
        wait_for(served.is_up, 60)
        yield served
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def visit(served: Served, rounds: int) -> Counter[str]:
    """GET every path from four clients at once; how often each was answered."""
    answered: Counter[str] = Counter()
    lock = threading.Lock()

    def client() -> None:
        for _ in range(rounds):
            for path in ("/", "/pid", "/stream", "/file", "/nowhere"):
                assert served.get_to_the_end(path) == (404 if path == "/nowhere" else 200)
                with lock:
                    answered[path] += 1

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answered


def recorded(collector: Collector) -> Counter[str]:
    return Counter(request.path for request in collector.requests if request.path != "/up")


@pytest.mark.parametrize("name", ENDED_BY_SIGTERM)
def test_everything_is_sent(collector: Collector, name: str) -> None:
    with serving(name, collector) as served:
        answered = visit(served, 10)
        if name.startswith("uwsgi"):
            # It runs no exit hooks in a worker that is still closing its last request.
            collector.wait_for(lambda: recorded(collector) == answered)
        seconds = served.end()
    assert seconds < LONGEST_END
    assert recorded(collector) == answered
    by_path = {request.path: request for request in collector.requests}
    assert (by_path["/stream"].outcome, by_path["/stream"].response_bytes) == ("completed", 3000)
    assert by_path["/stream"].duration_us >= 60_000
    assert by_path["/file"].response_bytes == (ROOT / "tests/client/served.py").stat().st_size
    assert {request.outcome for request in collector.requests} == {"completed"}
    assert_ledgers_close(collector)


def assert_ledgers_close(collector: Collector) -> None:
    """Each instance said goodbye, and its last ledger is what arrived."""
    instances = {instance for instance, _ in collector.accepted}
    for instance in instances:
        batches = [batch for (owner, _), batch in collector.accepted.items() if owner == instance]
        arrived = sum(len(batch["requests"]["start_us"]) for batch in batches)
        last = max(batches, key=lambda batch: batch["batch"])
        assert last.get("final") is True
        assert last["ledger"] == {"seen": arrived, "sent": arrived, "dropped": {}}


@pytest.mark.parametrize("name", [name for name in SERVERS if name not in DEAF_TO_SIGINT])
def test_everything_is_sent_before_the_end_by_sigint(collector: Collector, name: str) -> None:
    """Ctrl-C, right after a request."""
    with serving(name, collector) as served:
        if name == "gunicorn gevent":
            wait_for(lambda: served.is_up() and workers(served) <= reporting(collector), 60)
        answered = visit(served, 1)
        if name.startswith("uwsgi"):
            collector.wait_for(lambda: recorded(collector) == answered)
        seconds = served.end(signal.SIGINT)
    assert seconds < LONGEST_END
    assert recorded(collector) == answered
    assert_ledgers_close(collector)


@pytest.mark.parametrize("name", EXITING)
def test_a_view_that_exits_costs_no_request(collector: Collector, name: str) -> None:
    """`sys.exit` in a view ends some servers' process and some servers' thread."""
    with serving(name, collector) as served:
        for path in ("/", "/exit"):
            with socket.create_connection(("127.0.0.1", served.port)) as client:
                client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                collector.wait_for(lambda path=path: recorded(collector)[path] == 1)  # type: ignore[misc]
        wait_for(served.is_up, 60)
        served.get("/pid")
        collector.wait_for(lambda: recorded(collector)["/pid"] == 1)
        served.end()
    assert recorded(collector) == {"/": 1, "/exit": 1, "/pid": 1}
    (left,) = [request for request in collector.requests if request.path == "/exit"]
    assert (left.status, left.outcome, left.exception) == (500, "failed", "SystemExit")
    if name.startswith("gunicorn"):
        assert_ledgers_close(collector)


def reporting(collector: Collector) -> set[int]:
    """Processes that have sent something."""
    return {batch["instance"]["pid"] for batch in list(collector.accepted.values())}


def workers(served: Served) -> set[int]:
    """gunicorn's. One that still starts is deaf to signals; gunicorn waits 30 s to the next."""
    return {worker.pid for worker in psutil.Process(served.process.pid).children()}


class Visitors:
    """Clients that ask without a pause, each time for another path."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.answered: list[str] = []
        self.unanswered: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(n,)) for n in range(3)]

    def _visit(self, visitor: int) -> None:
        for number in count():
            if self._over.is_set():
                return
            path = f"/visitor-{visitor}/{number}"
            try:
                self._served.get(path)
                self.answered.append(path)
            except (OSError, HTTPException):
                self.unanswered.append(path)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("name", RELOADING)
def test_a_reload_under_load_loses_nothing(collector: Collector, name: str) -> None:
    """gunicorn's HUP: new workers come while the old ones answer their last requests and end."""
    with serving(name, collector) as served:
        with Visitors(served) as visitors:
            wait_for(lambda: len(visitors.answered) > 20, 60)
            wait_for(lambda: workers(served) <= reporting(collector), 60)
            old = workers(served)
            served.process.send_signal(signal.SIGHUP)
            began = time.monotonic()
            wait_for(lambda: old.isdisjoint(workers(served)), 60)
            took = time.monotonic() - began
            enough = len(visitors.answered) + 20
            wait_for(lambda: len(visitors.answered) > enough, 60)
        served.end()
    assert took < LONGEST_END
    found = recorded(collector)
    assert set(found.values()) == {1}
    assert set(visitors.answered) <= set(found)
    assert set(found) - set(visitors.answered) <= set(visitors.unanswered)
    assert_ledgers_close(collector)


def test_uwsgi_without_threads_is_told_the_remedy(collector: Collector, capfd: Any) -> None:
    with serving("uwsgi", collector, "--enable-threads") as served:
        served.get("/")
        wait_for(lambda: "--enable-threads" in capfd.readouterr().err, 60)


@pytest.mark.parametrize("name", ["gunicorn sync", "gunicorn gthread", "waitress", "werkzeug"])
def test_a_client_that_leaves_in_the_middle(collector: Collector, name: str) -> None:
    with serving(name, collector) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as client:
            client.sendall(b"GET /endless HTTP/1.0\r\n\r\n")
            client.recv(1000)
        collector.wait_for(lambda: "/endless" in recorded(collector))
    (left,) = [request for request in collector.requests if request.path == "/endless"]
    assert (left.status, left.outcome) == (200, "disconnected")


@pytest.mark.parametrize("name", ["gunicorn sync", "gunicorn gthread", "waitress", "werkzeug"])
def test_a_stream_that_breaks(collector: Collector, name: str) -> None:
    with serving(name, collector) as served:
        with suppress(OSError, HTTPException):
            served.get("/broken")
        collector.wait_for(lambda: "/broken" in recorded(collector))
    (broken,) = [request for request in collector.requests if request.path == "/broken"]
    assert (broken.outcome, broken.exception) == ("failed", "RuntimeError")


def test_the_reloader(collector: Collector, tmp_path: Path) -> None:
    """`flask run` with debugger and reloader: the request of each generation arrives."""
    source = tmp_path / "reloaded.py"
    source.write_text("from tests.client.served import app\n")
    port = free_port()
    environ = {**os.environ, "METRIC_DSN": collector.dsn, "PYTHONPATH": str(ROOT)}
    command = [PYTHON, "-m", "flask", "--app", str(source), "run", "--debug", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environ, start_new_session=True, stderr=subprocess.DEVNULL
    )
    served = Served(process, port)
    try:
        wait_for(served.is_up, 60)
        first = served.get("/pid")[1]
        collector.wait_for(lambda: recorded(collector)["/pid"] == 1)
        source.write_text("from tests.client.served import app  # changed\n")
        wait_for(lambda: served.is_up() and served.get("/pid")[1] != first, 60)
        before = recorded(collector)["/pid"]
        served.get("/pid")
        collector.wait_for(lambda: recorded(collector)["/pid"] > before)
        environments = {b["instance"]["environment"] for b in collector.accepted.values()}
        assert environments == {"development"}
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
