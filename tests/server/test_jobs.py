"""Timed work: each job at its own period, whatever the others do, until it is told to stop."""

import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from flask_performance.server.jobs import (
    Job,
    JobRunner,
    StrangersError,
    jobs,
    sweep,
)
from flask_performance.server.store.base import Filter, Projects, Retention
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.store.builders import NOON_US, block
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
    quick, failing, rare = (runner.states[job.words] for job in table)
    assert (quick.runs, quick.failures, quick.failing_since) == (runs["quick"], 0, None)
    assert (failing.runs, failing.failures) == (runs["failing"], runs["failing"])
    assert failing.last_success is None
    assert failing.failing_since is not None
    assert failing.last_run is not None
    assert failing.failing_since < failing.last_run
    assert (rare.runs, rare.last_run) == (0, None)
    after = runs.copy()
    assert "jobs" not in {thread.name for thread in threading.enumerate()}
    assert runs == after


def test_stopping_does_not_wait_for_the_next_period() -> None:
    runner = JobRunner([Job("rare", lambda: None, 3600)])
    runner.start()
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < 1


def test_what_deleted_projects_left_is_swept(tmp_path: Path) -> None:
    with closing(DuckDBStore(tmp_path / "events.duckdb")) as store:
        for project_id in (1, 2, 3):
            store.append(block([{}], project_id=project_id), project_id)
        sweep(store, lambda: Projects({2, 4}, greatest=4))
        assert store.project_ids() == {2}


def test_what_other_accounts_left_is_not_swept(tmp_path: Path) -> None:
    """Accounts that are new, or were mistaken for others, know of none of them."""
    with closing(DuckDBStore(tmp_path / "events.duckdb")) as store:
        for project_id in (1, 2, 3):
            store.append(block([{}], project_id=project_id), project_id)
        for known in (Projects(set(), greatest=0), Projects({1}, greatest=2)):
            with pytest.raises(StrangersError, match="do not belong together"):
                sweep(store, lambda known=known: known)  # type: ignore[misc]
        assert store.project_ids() == {1, 2, 3}


def test_the_table_of_jobs_does_what_it_says(tmp_path: Path) -> None:
    saved = []
    with closing(DuckDBStore(tmp_path / "events.duckdb")) as store:
        for project_id in (1, 2):
            store.append(block([{}], project_id=project_id), project_id)
        kept = {1: Retention(raw_days=1, minutes_days=1, hours_days=1)}
        known, letters = Projects({1}, greatest=2), list[Projects]()
        table = jobs(
            store, lambda: saved.append(1), lambda: kept, lambda: known, letters.append,
            lambda: None,
        )  # fmt: skip
        for job in table:  # in the order of the table, in which they run
            job.run()
        assert (saved, letters) == ([1], [known])
        assert store.project_ids() == {1}
        ever = Filter(project_id=1, start_us=0, end_us=NOON_US * 2)
        assert store.requests(ever, 10).rows == []
        assert store.summary(ever).requests == 0
