"""What the panels of a rendering share."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from flask_performance.server.dashboard.scope import Project, Scope
from flask_performance.server.dashboard.state import State
from flask_performance.server.store.base import Point
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.store.builders import block

NOW_US = 1_767_268_807_300_000
SECOND_US = 1_000_000
PROJECT = Project(1, "0123456789abcdef", "Shop", "Team", None)


def receive(store: DuckDBStore, *seconds_ago: float, **columns: object) -> None:
    """Requests that began, and arrived, so long ago."""
    for ago in seconds_ago:
        at_us = NOW_US - int(ago * SECOND_US)
        rows = [{"start_us": at_us, **columns}]
        store.append(block(rows, project_id=1, received_us=at_us), store.position() + 1)


def scope(store: DuckDBStore, **state: object) -> Scope:
    return Scope(store, PROJECT, State(**state), at_us=NOW_US)  # type: ignore[arg-type]


@pytest.mark.parametrize("range", ["5m", "15m", "1h", "24h", "30d"])
def test_a_young_project_is_watched_since_its_first_request(tmp_path: Path, range: str) -> None:
    with closing(DuckDBStore(tmp_path / "events")) as store:
        receive(store, 100, 50, 1)
        assert scope(store, range=range).watched_seconds == pytest.approx(100, abs=1)


def test_a_filter_does_not_make_a_project_younger(tmp_path: Path) -> None:
    with closing(DuckDBStore(tmp_path / "events")) as store:
        receive(store, 100)
        receive(store, 10, operation="GET /new")
        filtered = scope(store, method="GET", route="/new")
        assert filtered.summary.requests == 1
        assert filtered.watched_seconds == pytest.approx(100, abs=1)


def test_a_project_that_was_quiet_is_not_young(tmp_path: Path) -> None:
    with closing(DuckDBStore(tmp_path / "events")) as store:
        receive(store, 5 * 86_400, 10)
        quiet = scope(store)
        assert quiet.before.requests == 0
        assert quiet.young_us is None
        assert quiet.watched_seconds == 900


def test_a_project_without_requests_is_not_young(tmp_path: Path) -> None:
    with closing(DuckDBStore(tmp_path / "events")) as store:
        assert scope(store).watched_seconds == 900


@pytest.mark.parametrize("range", ["1h", "24h"])
def test_the_total_is_that_of_the_window_though_charts_begin_earlier(
    tmp_path: Path, range: str
) -> None:
    with closing(DuckDBStore(tmp_path / "events")) as store:
        seconds = {"1h": 3_600, "24h": 86_400}[range]
        receive(store, seconds + 3, path="/things/1")
        receive(store, seconds - 1, 10, path="/things/2")
        for asked in ({}, {"path": "things/"}):
            found = scope(store, range=range, **asked)
            assert sum(point.requests for point in found.series) == 3
            assert found.total == found.summary.requests == 2


def test_people_do_not_wait_for_each_others_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(DuckDBStore(tmp_path / "events")) as store:
        receive(store, 10)
        both_ask = Barrier(2, timeout=30)
        ask = store.series

        def series(*asked: Any) -> list[Point]:
            both_ask.wait()
            return ask(*asked)

        monkeypatch.setattr(store, "series", series)
        with ThreadPoolExecutor(2) as people:
            found = people.map(lambda one: one.series, (scope(store), scope(store)))
            assert [sum(point.requests for point in points) for points in found] == [1, 1]
