"""The questions of the pages' tables, of every home of the store."""

from collections import Counter

import pytest

from flask_performance.server.store.base import EventStore, Filter
from flask_performance.server.store.watched import watched_seconds

from .builders import NOON_US, block
from .model import HOUR_US, METHODS, MINUTE_US, ROUTES, World

SECOND_US = 1_000_000


class TablesContract:
    """Mixed into a home's contract."""

    @pytest.mark.parametrize("step_us", [10 * SECOND_US, 7 * MINUTE_US, HOUR_US])
    def test_trends_count_every_request_in_its_step(
        self, world_and_store: tuple[World, EventStore], step_us: int
    ) -> None:
        world, store = world_and_store
        for _ in range(10):
            filter = world.filter()
            asked = [(method, route) for method in METHODS for route in ROUTES[:2]]
            asked.append(("GET", "/never"))
            first = filter.start_us // step_us
            steps = max(0, -(-filter.end_us // step_us) - first)
            counts = Counter(
                (row.method, row.route, row.start_us // step_us - first)
                for row in world.matching(filter)
            )
            assert store.trends(filter, step_us, asked) == {
                (method, route): [counts[method, route, step] for step in range(steps)]
                for method, route in asked
            }

    def test_operations_of_many_projects_are_those_of_each(
        self, world_and_store: tuple[World, EventStore]
    ) -> None:
        _, store = world_and_store
        start_us, end_us = NOON_US - HOUR_US - 7, NOON_US - 3
        assert store.operations_of([1, 2, 3], start_us, end_us) == {
            number: store.operations(Filter(project_id=number, start_us=start_us, end_us=end_us))
            for number in (1, 2, 3)
        }

    def test_unmatched_paths_are_counted_exactly(
        self, world_and_store: tuple[World, EventStore]
    ) -> None:
        world, store = world_and_store
        filter = Filter(project_id=1, start_us=NOON_US - HOUR_US // 4, end_us=NOON_US)
        vain = [
            row
            for row in world.matching(filter)
            if row.status in (308, 405) or (not row.route and row.status >= 300)
        ]
        found = store.unmatched(filter, 1000)
        counts = Counter((row.method, row.path, row.status) for row in vain)
        assert Counter({(r.method, r.path, r.status): r.requests for r in found}) == counts
        assert max(row.last_us for row in found) == max(row.start_us for row in vain)

    def test_unmatched_paths_are_those_without_route_and_405_and_308(
        self, store: EventStore
    ) -> None:
        rows: list[dict[str, object]] = [
            {"operation": "GET ", "status": 404, "path": "/a", "consumer": "ada"},
            {"operation": "GET ", "status": 404, "path": "/a", "start_us": NOON_US + 5,
             "consumer": "bob"},
            {"operation": "GET ", "status": 404, "path": "/a"},
            {"operation": "PUT ", "status": 405, "path": "/a"},
            {"operation": "GET /b/", "status": 308, "path": "/b"},
            {"operation": "GET /c", "status": 405},
            {"operation": "GET /c", "status": 404},  # its view says so
            {"operation": "GET ", "status": 200, "path": "/served-by-something-else"},
        ]  # fmt: skip
        store.append(block(rows), 1)
        filter = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + HOUR_US)
        found = store.unmatched(filter, 10)
        assert (found[0].requests, found[0].last_us) == (3, NOON_US + 5)
        assert (found[0].consumer, found[0].several) == ("bob", True)
        assert {(one.method, one.path, one.status) for one in found} == {
            ("GET", "/a", 404), ("PUT", "/a", 405), ("GET", "/b", 308), ("GET", "/c", 405),
        }  # fmt: skip
        assert len(store.unmatched(filter, 2)) == 2
        assert store.unmatched(Filter(project_id=2, start_us=0, end_us=NOON_US * 2), 10) == []

    def test_what_is_asked_for_often_is_found_among_strangers_paths(
        self, store: EventStore
    ) -> None:
        often = [f"/often/{place % 5}" for place in range(500)]
        once = [f"/{place}" for place in range(20_000)]
        paths = [path for pair in zip(once[:500], often, strict=True) for path in pair] + once[500:]
        rows: list[dict[str, object]] = [
            {"operation": "GET ", "status": 404, "path": path} for path in paths
        ]
        store.append(block(rows), 1)
        filter = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + HOUR_US)
        found = store.unmatched(filter, 5)
        assert {(one.path, one.requests) for one in found} == {
            (f"/often/{n}", 100) for n in range(5)
        }

    def test_a_whole_path_is_that_path_alone(self, store: EventStore) -> None:
        rows: list[dict[str, object]] = [
            {"operation": "GET ", "status": 404, "path": path} for path in ("/a", "/ab", "/b/a")
        ]
        store.append(block([*rows, {"operation": "GET /a"}]), 1)
        filter = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + HOUR_US, whole_path="/a")
        assert store.summary(filter).requests == 2
        assert {row.path for row in store.requests(filter, 10).rows} == {"/a"}

    def test_an_operation_whose_endpoint_was_renamed_is_one_trend(self, store: EventStore) -> None:
        for number, endpoint in enumerate(("old", "new"), 1):
            store.append(block([{"start_us": NOON_US}], endpoint=endpoint, number=number), number)
        filter = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 2 * SECOND_US)
        assert store.trends(filter, SECOND_US, [("GET", "/")]) == {("GET", "/"): [2, 0]}
        assert store.trends(filter, SECOND_US, []) == {}

    @pytest.mark.parametrize("rolled", [False, True])
    @pytest.mark.parametrize(
        ("ago_s", "hours", "seconds"), [(100, 1, 100), (100, 24, 100), (3 * 3600 + 7, 24, 10_807)]
    )
    def test_a_young_project_was_watched_since_its_first_request(
        self, store: EventStore, ago_s: int, hours: int, seconds: int, rolled: bool
    ) -> None:
        store.append(block([{"start_us": NOON_US - ago_s * SECOND_US}]), 1)
        if rolled:
            store.roll()
        window = Filter(project_id=1, start_us=NOON_US - hours * HOUR_US, end_us=NOON_US)
        assert watched_seconds(store, window) == pytest.approx(seconds, abs=1)
        later = Filter(project_id=1, start_us=NOON_US + 1, end_us=NOON_US + HOUR_US)
        assert watched_seconds(store, later) == later.seconds
        never = Filter(project_id=2, start_us=NOON_US - HOUR_US, end_us=NOON_US)
        assert watched_seconds(store, never) == 3600
