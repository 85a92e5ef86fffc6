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
