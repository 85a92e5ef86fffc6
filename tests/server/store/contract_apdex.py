"""Apdex as every home of the event store must count it, against the naive model."""

from flask_performance.server.store.base import EventStore, Filter, Point, Stats, Thresholds
from flask_performance.server.store.window import SHORT_US

from .builders import NOON_US, block
from .model import HOUR_US, MINUTE_US, Row, World

SECOND_US = 1_000_000
#: Thresholds around what the world's requests take (their median is 8 ms).
OWN = (("GET", "/slow", 60_000), ("POST", "/users/<int:id>", 1_000), ("GET", "/nowhere", 5))


class ApdexContract:
    """Mixed into a home's contract."""

    def test_apdex(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for _ in range(30):
            filter = world.filter()
            thresholds = Thresholds(world.random.choice((500, 8_000, 100_000)), OWN)
            found = store.summary(filter, thresholds)
            assert_apdex(found, world.matching(filter), thresholds, exact=is_short(filter))

    def test_apdex_of_operations(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for _ in range(10):
            filter = world.filter()
            thresholds = Thresholds(8_000, world.random.choice(((), OWN)))
            rows = world.matching(filter)
            for one in store.operations(filter, thresholds):
                mine = [row for row in rows if (row.method, row.route) == (one.method, one.route)]
                assert_apdex(one, mine, thresholds, exact=is_short(filter))

    def test_apdex_of_steps(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for step_us in (40 * SECOND_US, 10 * MINUTE_US, HOUR_US):
            for own in ((), OWN):
                filter = world.filter()
                rows = world.matching(filter)
                for point in store.series(filter, step_us, Thresholds(8_000, own)):
                    end_us = point.start_us + step_us
                    mine = [row for row in rows if point.start_us <= row.start_us < end_us]
                    assert_apdex(point, mine, Thresholds(8_000, own), exact=is_short(filter))
                    assert point.errors == sum(row.error for row in mine)
                points = store.series(filter, step_us)  # the same again, for who asks for less
                assert {point.satisfied for point in points} <= {None}
                assert sum(point.requests for point in points) == len(rows)

    def test_apdex_of_long_windows(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for project_id in (1, 2):
            filter = Filter(
                project_id=project_id, start_us=NOON_US - 24 * HOUR_US, end_us=NOON_US + HOUR_US
            )
            rows = world.matching(filter)
            for us in (500, 8_000, 60_000):
                thresholds = Thresholds(us, OWN)
                assert_apdex(store.summary(filter, thresholds), rows, thresholds, exact=False)
                for point in store.series(filter, HOUR_US, thresholds):
                    end_us = point.start_us + HOUR_US
                    mine = [row for row in rows if point.start_us <= row.start_us < end_us]
                    assert_apdex(point, mine, thresholds, exact=False)

    def test_apdex_of_a_few_is_exact_in_rollups_too(self, store: EventStore) -> None:
        durations = (1, 499_999, 500_000, 500_001, 2_000_000, 2_000_001)
        rows: list[dict[str, object]] = [
            {"duration_us": us, "operation": f"GET /{us}"} for us in durations
        ]
        failed: list[dict[str, object]] = [
            {"duration_us": 1, "status": 500},
            {"duration_us": 1, "outcome": 2},
        ]
        store.append(block([*rows, *failed]), 1)
        hours = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 2 * HOUR_US)
        for _ in range(2):
            found = store.summary(hours, Thresholds(500_000))
            assert (found.requests, found.satisfied, found.tolerated) == (8, 3, 2)
            assert found.apdex == 0.5
            store.roll()

    def test_apdex_is_only_for_who_asks(self, store: EventStore) -> None:
        filter = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + HOUR_US)
        assert store.summary(filter, Thresholds(500)).apdex is None  # nothing happened
        store.append(block([{}]), 1)
        assert store.summary(filter).apdex is None
        assert store.summary(filter, Thresholds(1_000)).apdex == 1.0


def is_short(filter: Filter) -> bool:
    """Whether a window is answered from single requests, and so exactly."""
    return filter.end_us - filter.start_us <= SHORT_US


def assert_apdex(
    found: Stats | Point, rows: list[Row], thresholds: Thresholds, *, exact: bool
) -> None:
    """Exactly, or as if each threshold were off by at most 1 % (and 1 µs, where buckets end)."""
    if not rows:
        assert found.apdex is None
        return
    assert found.satisfied is not None
    assert found.tolerated is not None
    off = 0.0 if exact else 0.010_000_1
    for times, counted in ((1, found.satisfied), (4, found.satisfied + found.tolerated)):
        least, most = (within(rows, thresholds, times, share) for share in (-off, off))
        assert least <= counted <= most
    assert found.apdex == (found.satisfied + found.tolerated / 2) / len(rows)


def within(rows: list[Row], thresholds: Thresholds, times: int, off: float) -> int:
    """Requests up to so many times their threshold, which is off by a share of itself."""
    own = {(method, route): us for method, route, us in thresholds.own}
    slack = 1 if off > 0 else -1 if off < 0 else 0
    return sum(
        not row.error
        and row.duration_us
        <= times * own.get((row.method, row.route), thresholds.us) * (1 + off) + slack
        for row in rows
    )
