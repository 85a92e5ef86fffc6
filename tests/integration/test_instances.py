"""Two real workers under gunicorn: who they are, how busy, and the advice when they are too few."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import flask_performance
from tests.support.apps import gunicorn, serving
from tests.support.browserless import Session, log_in
from tests.support.http import fetch
from tests.support.platform import EMAIL, PASSWORD, Platform, Project
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
#: More than two workers that serve one request each can take.
CROWD = 6


def get(address: str, path: str) -> str:
    """As a proxy asks: it says when the request came to it."""
    said = {"X-Request-Start": f"t={time.time():.6f}"}
    return fetch(f"{address}{path}", headers=said, timeout=60).body.decode()


@contextmanager
def crowd(address: str) -> Iterator[None]:
    """People who ask for something slow again and again."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            get(address, "/slow")

    threads = [threading.Thread(target=ask) for _ in range(CROWD)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def words(page: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.decode()))


def test_both_workers_are_listed_and_told_to_be_too_few(
    platform: Platform, project: Project, tmp_path: Path
) -> None:
    command = gunicorn("tests.client.served:app", "--workers", "2")
    url, session = f"{platform.url}/projects/{project.id}", Session()
    log_in(url, EMAIL, PASSWORD, session)
    with serving(command, tmp_path / "gunicorn.log", ROOT, METRIC_DSN=project.dsn) as address:
        with crowd(address):

            def told() -> str:
                text = words(session.open(f"{url}/instances?range=5m")[1].body)
                return text if "Both workers" in text and "add workers." in text else ""

            text = wait_for(told, 90, "the advice", every=0.5)
            rows: list[dict[str, Any]] = project.get("instances")["items"]
        workers = {get(address, "/pid") for _ in range(20)}
    advice = re.search(
        r"Both workers of \S+ were busy (\d+) % of the time and requests waited .{1,12} at p95: "
        r"add workers\. They wait most of that time \(database, network\), so threads would do",
        text,
    )
    assert advice, text
    assert int(advice[1]) >= 80
    assert {str(row["pid"]) for row in rows} == workers
    for row in rows:
        assert row["state"] == "serving"
        assert row["client"] == f"flask-performance/{flask_performance.__version__}"
        assert row["python"]
        assert row["flask"]
        assert 10_000_000 < row["memory"] < 500_000_000
        assert 0 < row["cpu"] < 0.7
        assert row["busy"] >= 0.6
        assert row["concurrent"] == 1
        assert row["queue_p95"] > 0
        assert re.search(rf"pid {row['pid']} .{{0,200}} serving", text)
    assert "2 living of 2 processes" in text
