"""Forks, exits and many apps: whatever happens to the process, sent = seen and nothing leaks."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from pathlib import Path

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance import sender as sender_module

from .stub import ACCEPTED, Collector, Received, Reply, wait_for

ROOT = Path(__file__).parents[2]


def run(
    script: str, collector: Collector, seconds: float = 20, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter that sends to the collector; `before` runs before the
    extension is installed."""
    prelude = """
    import os, sys, time, signal, threading
    from flask import Flask
    import flask.testing  # a fork amid its first import would hang in Python's own import lock
    from flask_performance import PerformanceCollector
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    BEFORE
    app = Flask("shop")
    app.add_url_rule("/<path:name>", "page", lambda name: name)
    pc = PerformanceCollector(app)
    def visit(name):
        app.test_client().get("/" + name).close()
    """
    prelude = prelude.replace("BEFORE", before)
    code = textwrap.dedent(prelude) + textwrap.dedent(script)
    environ = {**os.environ, "METRIC_DSN": collector.dsn, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environ,
        timeout=seconds,
        capture_output=True,
        text=True,
        check=False,
    )


def paths(collector: Collector) -> list[str]:
    return sorted(request.path for request in collector.requests)


def test_a_fork_is_an_instance_of_its_own(collector: Collector) -> None:
    done = run(
        """
        visit("parent-before")            # waits in the buffer while the process forks
        child = os.fork()
        visit("child" if child == 0 else "parent-after")
        if child == 0:
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        collector,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert paths(collector) == ["/child", "/parent-after", "/parent-before"]
    by_instance: dict[str, list[str]] = {}
    for (instance, number), batch in collector.accepted.items():
        by_instance.setdefault(instance, []).append(str(number))
        assert batch["instance"]["pid"] > 0
    assert len(by_instance) == 2
    assert all(numbers[0] == "1" for numbers in by_instance.values())
    finals = [batch for batch in collector.accepted.values() if batch.get("final")]
    assert sorted(batch["ledger"]["seen"] for batch in finals) == [1, 2]


def test_forks_in_a_busy_app_deadlock_nobody(collector: Collector) -> None:
    done = run(
        """
        visit("first")  # Flask imports its test client here; a fork meanwhile would hang by itself
        stop = threading.Event()
        counts = []
        def busy():
            n = 0
            while not stop.is_set():
                visit("busy")
                n += 1
                time.sleep(0.001)  # leaves some of the processor to the collector
            counts.append(n)
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(20):
            child = os.fork()
            if child == 0:
                visit("child")
                sys.stdout.flush()
                pc.stop(app)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        print(sum(counts))
        """,
        collector,
        60,
    )
    assert done.returncode == 0, done.stderr
    found = paths(collector)
    assert found.count("/child") == 20
    assert found.count("/busy") == int(done.stdout)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", 0),
        ("sys.exit(5)", 5),
        ("raise RuntimeError", 1),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", -2),
        ("threading.Thread(target=visit, args=('late',)).start()", 0),
    ],
    ids=["end", "exit", "error", "SIGINT", "last thread"],
)
def test_every_ordinary_end_sends_what_waits(
    collector: Collector, ending: str, status: int
) -> None:
    done = run(f"visit('a'); visit('b')\n{ending}", collector)
    assert done.returncode == status
    assert paths(collector) == ["/a", "/b", *(["/late"] if "late" in ending else [])]


def test_a_dead_platform_holds_the_end_up_for_two_seconds_at_most(collector: Collector) -> None:
    def silence(_: Received) -> Reply:
        time.sleep(10)
        raise ConnectionError

    collector.reply = silence
    began = time.monotonic()
    done = run("visit('a')\nprint(time.monotonic())", collector)
    took = time.monotonic() - began
    assert done.returncode == 0
    assert took < 2 + 3  # the interpreter's own start included


@pytest.mark.parametrize("reply", [None, (503, {"Retry-After": "5"}, b"{}")], ids=["down", "503"])
def test_a_platform_that_restarts_gets_the_last_batch(
    collector: Collector, reply: Reply | None
) -> None:
    def restarting(received: Received) -> Reply:
        if received.at - collector.received[0].at > 0.6:
            return ACCEPTED
        if reply is None:
            raise ConnectionError
        return reply

    collector.reply = restarting
    assert run("visit('a'); visit('b')", collector).returncode == 0
    assert paths(collector) == ["/a", "/b"]
    assert 3 <= len(collector.received) <= 20


def test_the_end_does_not_wait_for_a_quota(collector: Collector) -> None:
    collector.reply = lambda _: (429, {"Retry-After": "60"}, b"{}")
    assert run("visit('a')", collector).returncode == 0
    assert len(collector.received) <= 2  # the second where the first was sent before the end


def test_multiprocessing_children_send_what_waits(collector: Collector) -> None:
    done = run(
        """
        import multiprocessing
        process = multiprocessing.get_context("fork").Process(target=visit, args=("child",))
        process.start()
        process.join()
        """,
        collector,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert paths(collector) == ["/child"]


def test_a_thousand_apps_leak_neither_threads_nor_memory(collector: Collector) -> None:
    def build() -> "weakref.ref[Flask]":
        app = Flask("shop")
        app.config["METRIC_DSN"] = collector.dsn
        PerformanceCollector(app)
        return weakref.ref(app)

    threads = threading.active_count()
    refs = [build() for _ in range(1000)]
    gc.collect()
    assert sum(ref() is not None for ref in refs) == 0
    assert threading.active_count() == threads


def test_the_thread_of_an_app_that_is_gone_ends(collector: Collector) -> None:
    def live() -> None:
        app = Flask("shop")
        app.config["METRIC_DSN"] = collector.dsn
        app.add_url_rule("/", "page", lambda: "hello")
        PerformanceCollector(app)
        app.test_client().get("/").close()

    before = threading.active_count()
    for _ in range(5):
        live()
    gc.collect()
    wait_for(lambda: threading.active_count() == before, 10, lambda: threading.enumerate())
    assert paths(collector) == ["/"] * 5


def test_a_thread_that_cannot_start_is_tried_again(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("shop")
    app.config.update(METRIC_DSN=collector.dsn, METRIC_BUFFER=100)
    app.add_url_rule("/<int:number>", "page", lambda number: str(number))
    pc = PerformanceCollector(app)
    client = app.test_client()
    attempts = []

    class NoThread(threading.Thread):
        def start(self) -> None:
            attempts.append(time.monotonic())
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Thread", NoThread)
        for number in range(150):
            assert client.get(f"/{number}").status_code == 200
        assert len(attempts) == 1  # not one a request
        patched.setattr(sender_module, "START_PAUSE", 0.0)
        sender = app.extensions["flask_performance"].sender
        sender._start_at = 0.0  # the pause is over
        client.get("/150")
        client.get("/151")
        assert len(attempts) == 3
    client.get("/152")
    collector.wait_for(lambda: len(collector.requests) == 100)
    pc.stop(app)
    assert collector.received[-1].batch["ledger"] == {
        "seen": 153,
        "sent": 100,
        "dropped": {"buffer_full": 53},
    }
    assert caplog.text.count("cannot start its thread") == 1


def test_a_fork_without_hooks_starts_one_thread_however_many_requests_come_first(
    collector: Collector,
) -> None:
    done = run(
        """
        from flask_performance import sender
        begin = sender.Sender._begin
        def slowly(self):
            time.sleep(0.2)  # so long the others have to come in between
            begin(self)
        child = os.fork()
        if child == 0:
            sender.Sender._begin = slowly
            visitors = [threading.Thread(target=visit, args=(str(n),)) for n in range(8)]
            for visitor in visitors:
                visitor.start()
            for visitor in visitors:
                visitor.join()
            found = [t for t in threading.enumerate() if t.name == "flask-performance"]
            sender.Sender._begin = begin
            sys.exit(0 if len(found) == 1 else 9)
        assert os.waitpid(child, 0)[1] == 0
        """,
        collector,
        before="os.register_at_fork = lambda **_: None  # uWSGI forks without Python's hooks",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert paths(collector) == [f"/{number}" for number in range(8)]
    assert len({instance for instance, _ in collector.accepted}) == 1
