"""Forks, exits and many apps: whatever happens to the process, sent = seen and nothing leaks."""

import gc
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
import weakref
import zlib
from pathlib import Path

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance import sender as sender_module
from flask_performance.testing import rows

from .stub import ACCEPTED, Collector, Received, Reply, wait_for

ROOT = Path(__file__).parents[2]


def run(
    script: str, collector: Collector, seconds: float = 60, before: str = "", **environ: str
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
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT / "src"))))
    ours = {"METRIC_DSN": collector.dsn, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **ours, **environ},
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


def test_a_fork_while_the_sender_waits_for_an_answer(collector: Collector) -> None:
    """The reader of the answer is locked then, in the child for ever."""
    collector.pause = 0.4
    done = run(
        """
        for number in range(5):
            visit("parent")
            time.sleep(0.25)              # on its way: the interval is 0.1 s, an answer takes 0.4
            child = os.fork()
            if child == 0:
                visit("child")
                pc.stop(app, 30)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        """,
        collector,
        METRIC_TIMEOUT="5",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert paths(collector) == ["/child"] * 5 + ["/parent"] * 5


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
                pc.stop(app, 30)
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
    assert done.returncode == status, done.stderr
    assert paths(collector) == ["/a", "/b", *(["/late"] if "late" in ending else [])]


def test_the_end_tells_of_requests_that_were_only_counted(collector: Collector) -> None:
    done = run("visit('a')", collector, METRIC_IGNORE="*", METRIC_INTERVAL="60")
    assert (done.returncode, done.stderr) == (0, "")
    [batch] = collector.accepted.values()
    assert (batch["final"], batch["ledger"]["dropped"]) == (True, {"ignored": 1})


#: Printed last: when the end begins, on the clock that all processes share.
THE_END = "sys.stdout.write(str(time.monotonic()))"


#: What a slow machine needs for the interpreter's own end, beside our two seconds.
SLACK = 4


def seconds_of_the_end(done: subprocess.CompletedProcess[str], ended: float) -> float:
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return ended - float(done.stdout)


@pytest.mark.parametrize("timeout", ["0.5", "60"])
@pytest.mark.parametrize("under_way", [True, False], ids=["under way", "not yet sent"])
def test_a_silent_platform_holds_the_end_up_for_two_seconds_at_most_and_the_spool_keeps_the_rest(
    collector: Collector, tmp_path: Path, timeout: str, under_way: bool
) -> None:
    arrived = tmp_path / "arrived"

    def silence(received: Received) -> Reply:
        arrived.touch()
        return collector.silence(received)

    collector.reply = silence
    wait = f"while not os.path.exists({str(arrived)!r}): time.sleep(0.01)" if under_way else ""
    done = run(
        f"visit('a')\n{wait}\nvisit('b')\n{THE_END}",
        collector,
        METRIC_TIMEOUT=timeout,
        METRIC_SPOOL=str(tmp_path),
    )
    assert seconds_of_the_end(done, time.monotonic()) < 2 + SLACK
    batches = sorted(tmp_path.glob("*.batch"))
    bodies = [json.loads(zlib.decompress(batch.read_bytes(), wbits=31)) for batch in batches]
    assert [row.path for body in bodies for row in rows(body)] == ["/a", "/b"]
    assert (bodies[-1]["final"], bodies[-1]["ledger"]["seen"]) == (True, 2)


def test_without_a_spool_a_silent_platform_holds_the_end_up_no_longer(collector: Collector) -> None:
    collector.reply = collector.silence
    done = run(f"visit('a')\n{THE_END}", collector)
    assert seconds_of_the_end(done, time.monotonic()) < 2 + SLACK
    assert len(collector.received) > 1  # it tried again


@pytest.mark.parametrize("visits", ["", "visit('a')"], ids=["no thread yet", "thread ended"])
def test_a_body_that_only_the_end_of_the_interpreter_drops_hangs_nobody(
    collector: Collector, visits: str
) -> None:
    """As when gunicorn's quick shutdown raises SystemExit amid the body's close."""
    done = run(
        f"""
        from werkzeug.test import EnvironBuilder
        {visits}
        large = "/" + 20_000 * "k"  # a small body would be recorded at once
        body = app(EnvironBuilder(large).get_environ(), lambda *_: None)
        """,
        collector,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert paths(collector) == (["/a"] if visits else [])


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


def senders() -> set[threading.Thread]:
    """Threads of ours, those of earlier tests included, which may end at any moment."""
    return {thread for thread in threading.enumerate() if thread.name == "flask-performance"}


def test_a_thousand_apps_leak_neither_threads_nor_memory(collector: Collector) -> None:
    def build() -> "weakref.ref[Flask]":
        app = Flask("shop")
        app.config["METRIC_DSN"] = collector.dsn
        PerformanceCollector(app)
        return weakref.ref(app)

    before = senders()
    refs = [build() for _ in range(1000)]
    gc.collect()
    assert sum(ref() is not None for ref in refs) == 0
    assert senders() <= before


def test_the_thread_of_an_app_that_is_gone_ends(collector: Collector) -> None:
    def live() -> None:
        app = Flask("shop")
        app.config["METRIC_DSN"] = collector.dsn
        app.add_url_rule("/", "page", lambda: "hello")
        PerformanceCollector(app)
        app.test_client().get("/").close()

    before = senders()
    for _ in range(5):
        live()
    gc.collect()
    collector.wait_for(lambda: paths(collector) == ["/"] * 5)
    wait_for(lambda: senders() <= before, 30, threading.enumerate)


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
    pc.stop(app, 30)
    assert collector.received[-1].batch["ledger"] == {
        "seen": 153,
        "sent": 100,
        "dropped": {"buffer_full": 53},
    }
    assert caplog.text.count("cannot start its thread") == 1


def test_where_no_thread_ever_starts_the_end_sends_and_the_log_tells(collector: Collector) -> None:
    done = run(
        f"visit('a'); visit('b')\n{THE_END}",
        collector,
        before="""
    class NoThread(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")
    threading.Thread = NoThread
    """,
    )
    seconds_of_the_end(done, 0)
    assert done.stderr.count("cannot start its thread (can't start new thread)") == 1
    assert paths(collector) == ["/a", "/b"]
    (batch,) = collector.accepted.values()
    assert (batch["final"], batch["ledger"]["seen"]) == (True, 2)


def test_where_no_thread_ever_starts_a_silent_platform_cannot_hold_the_end_up(
    collector: Collector, tmp_path: Path
) -> None:
    collector.reply = collector.silence
    done = run(
        f"visit('a')\n{THE_END}",
        collector,
        before="threading.Thread.start = lambda self: (_ for _ in ()).throw(RuntimeError('none'))",
        METRIC_TIMEOUT="60",
        METRIC_SPOOL=str(tmp_path),
    )
    assert seconds_of_the_end(done, time.monotonic()) < 2 + SLACK
    assert len(list(tmp_path.glob("*.batch"))) == 1


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
