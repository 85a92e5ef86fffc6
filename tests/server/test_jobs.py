"""Timed work: each job at its own period, whatever the others do, until it is told to stop."""

import threading
import time
from collections import Counter

import pytest

from flask_performance.server.jobs import Job, JobRunner
from tests.support.waiting import wait_for


def test_jobs_run_at_their_periods(caplog: pytest.LogCaptureFixture) -> None:
    runs: Counter[str] = Counter()

    def fail() -> None:
        runs["failing"] += 1
        raise RuntimeError("no luck")

    table = [
        Job("the quick one", lambda: runs.update(["quick"]), 0.01),
        Job("the one that fails", fail, 0.01),
        Job("the rare one", lambda: runs.update(["rare"]), 3600),
    ]
    runner = JobRunner(table)
    runner.start()
    wait_for(lambda: runs["quick"] > 5 and runs["failing"] > 5, 10, "several runs")
    runner.stop()
    assert runs["rare"] == 0
    assert "the one that fails" in caplog.text
    after = runs.copy()
    assert "jobs" not in {thread.name for thread in threading.enumerate()}
    assert runs == after


def test_stopping_does_not_wait_for_the_next_period() -> None:
    runner = JobRunner([Job("rare", lambda: None, 3600)])
    runner.start()
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < 1
