"""The demo: one line, a login that works, real requests, and nothing left behind."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flask_performance.server.demo.visits import VISITS, Visitor
from tests.support.apps import serving
from tests.support.browserless import log_in
from tests.support.http import Api
from tests.support.platform import (
    COMMAND,
    Platform,
    Project,
    environment,
    run_command,
    running_platform,
)
from tests.support.waiting import free_port, wait_for

pytestmark = pytest.mark.slow

LINE = re.compile(
    r"Open (?P<url>http://\S+/projects/(?P<project>\w+)) and log in as (?P<email>\S+) "
    r"with the password (?P<password>\S+) \(Ctrl-C ends the demo\)\n"
)
#: What "within a few seconds" means for Ctrl-C.
END_SECONDS = 15.0


@dataclass
class Demo:
    process: subprocess.Popen[str]
    data: Path
    url: str
    project: str
    email: str
    password: str

    @property
    def base(self) -> str:
        return self.url.partition("/projects/")[0]

    def part(self, name: str, **parameters: str | int) -> Any:
        token = run_command(self.data, "token", "create", self.email).stdout.strip()
        return Api(self.base, token).get(f"/projects/{self.project}/{name}", **parameters)

    def end(self, how: signal.Signals) -> tuple[int, list[psutil.Process]]:
        """The exit code, and the processes that were its own a moment before."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(how)
        return self.process.wait(END_SECONDS), children


def start_demo(data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "demo", "--port", str(free_port()), "--data", str(data)],
        env=environment(METRIC_DSN="http://127.0.0.1:9/v1/collector/not-for-the-demo"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running_demo(data: Path) -> Iterator[Demo]:
    """A demo that has printed its line."""
    with start_demo(data) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            said = LINE.fullmatch(line)
            assert said, (line, process.stderr.read() if process.poll() is not None else "")
            yield Demo(process, data, **said.groupdict())
        finally:
            process.terminate()
            process.wait(30)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_one_line_a_login_and_real_requests_of_two_instances(tmp_path: Path) -> None:
    with running_demo(tmp_path / "demo") as demo:
        page = log_in(demo.url, demo.email, demo.password)
        assert page.status == 200
        assert "Lantern Books" in page.body.decode()

        def instances() -> bool:
            rows = demo.part("requests", limit=500)["items"]
            return len({row["instance"] for row in rows}) == 2

        wait_for(instances, 60, "requests of both of the shop's processes", every=0.5)
        code, children = demo.end(signal.SIGINT)
        assert code == 0
        assert len(children) >= 5  # platform, shop and its two workers, visitors
        assert alive(children) == []
        assert demo.process.stdout is not None
        assert demo.process.stdout.read() == ""


def test_a_second_run_keeps_the_login_and_the_history_and_nothing_was_lost(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with running_demo(data) as first:
        wait_for(lambda: first.part("summary")["requests"] > 50, 60, "some history", every=0.5)
        assert first.end(signal.SIGTERM)[0] == 0

    with running_platform(data) as platform:  # the platform alone: no new requests blur the sums
        api = platform.api(first.email)
        ledger = api.get(f"/projects/{first.project}/ledger")
        assert ledger["seen"] == ledger["stored"] > 50
        assert (ledger["waiting"], ledger["lost"]) == (0, 0)
        assert platform.stop() == 0

    started = time.monotonic()
    with running_demo(data) as second:
        assert time.monotonic() - started < 30
        assert (second.project, second.password) == (first.project, first.password)
        assert second.part("summary")["requests"] >= ledger["stored"]


@pytest.mark.parametrize("begun", ["platform", "shop"])
def test_ctrl_c_before_the_line_leaves_nothing_either(tmp_path: Path, begun: str) -> None:
    with start_demo(tmp_path / "demo") as process:
        log = tmp_path / "demo" / f"demo-{begun}.log"
        wait_for(lambda: log.exists() and log.stat().st_size, 60, f"the {begun} to begin")
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=END_SECONDS)
    assert (process.returncode, out) == (0, "")
    assert alive(children) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_not_even_kill_leaves_a_process(tmp_path: Path) -> None:
    with running_demo(tmp_path / "demo") as demo:
        _, children = demo.end(signal.SIGKILL)
        wait_for(lambda: not alive(children), 60, "the demo's processes to end")


def test_a_process_that_dies_ends_the_demo_with_a_sentence(tmp_path: Path) -> None:
    with running_demo(tmp_path / "demo") as demo:
        children = psutil.Process(demo.process.pid).children(recursive=True)
        [visitors] = [one for one in children if "demo.traffic" in " ".join(one.cmdline())]
        visitors.kill()
        assert demo.process.wait(END_SECONDS) == 1
        assert demo.process.stderr is not None
        said = demo.process.stderr.read()
        assert said.startswith("Error: The traffic stopped: ")
        assert len(said.splitlines()) == 1
        assert alive(children) == []


def test_every_kind_of_visit_is_recorded_as_what_it_was(project: Project, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory"]
    command += ["--port", "{port}", "flask_performance.server.demo.shop:create_app"]
    with serving(command, tmp_path / "shop.log", METRIC_DSN=project.dsn) as address:
        visitor = Visitor("127.0.0.1", int(address.rpartition(":")[2]))
        for visit, _ in VISITS:
            visit(visitor)
        visitor.leave()
        rows = wait_for(lambda: _with_disconnect(project), 60, "the visitor who left to be noticed")
    seen = {(row["method"], row["route"], row["status"]) for row in rows}
    assert {
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/backoffice/export.csv", 200),
        ("GET", "/covers/<int:book_id>.svg", 200),
        ("GET", "/books/<int:book_id>", 404),
        ("GET", "", 404),
        ("POST", "/api/books/<int:book_id>/reviews", 400),
    } <= seen
    statuses = {status for _, _, status in seen}
    assert statuses >= {308, 405}
    assert statuses & {302, 409}  # into the cart, or out of stock


def _with_disconnect(project: Project) -> list[dict[str, Any]] | None:
    rows = project.requests()
    return rows if any(row["outcome"] == "disconnected" for row in rows) else None


def test_a_taken_port_is_one_sentence(platform: Platform, tmp_path: Path) -> None:
    done = run_command(tmp_path / "demo", "demo", "--port", str(platform.port))
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Port {platform.port} of 127.0.0.1 is taken; "
        f"name a free one, as in --port {platform.port + 1}\n"
    )


def test_the_data_of_a_real_platform_is_left_alone(platform: Platform) -> None:
    platform.stop()
    done = run_command(platform.data, "demo", "--port", str(free_port()))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "another folder with --data" in done.stderr
    assert not (platform.data / "demo.json").exists()
