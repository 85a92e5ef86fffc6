"""Windows of days, which coarse rollups answer: exact to the request, at any step and age."""

import random
from collections.abc import Callable

import pytest

from flask_performance.server.store.base import DAY_US, EventStore, Filter, Retention, Thresholds

from .builders import NOON_US, block
from .model import HOUR_US, MINUTE_US, ROUTES, quantile

DAYS = 3
END_US = NOON_US + DAYS * DAY_US
STEPS_US = (MINUTE_US, 10 * MINUTE_US, HOUR_US, 6 * HOUR_US, DAY_US)

Request = dict[str, object]


def fill(store: EventStore, count: int = 3_000) -> list[Request]:
    """Requests of some days, rolled up and merged while they come; the last are not yet."""
    chance = random.Random(5)
    rows: list[Request] = [
        {
            "start_us": NOON_US + chance.randrange(DAYS * DAY_US),
            "duration_us": int(chance.lognormvariate(9, 2)),
            "operation": f"GET {chance.choice(ROUTES)}",
            "status": chance.choice((200, 200, 404, 500)),
        }
        for _ in range(count)
    ]
    for number in range(6):
        some = rows[number * count // 6 : (number + 1) * count // 6]
        store.append(
            block(some, number=number + 1, sent_total=(number + 1) * count // 6), number + 1
        )
        if number < 5:
            store.roll()
        if number in (1, 3):
            store.maintain(END_US)
    return rows


def within(rows: list[Request], start_us: int, end_us: int) -> list[int]:
    """The durations of the requests of a window."""
    return [
        int(str(row["duration_us"]))
        for row in rows
        if start_us <= int(str(row["start_us"])) < end_us
    ]


class RollupsContract:
    """For a class with the fixtures `store` and `another`."""

    @pytest.fixture(scope="class")
    @classmethod
    def days(cls, another: Callable[[], EventStore]) -> tuple[EventStore, list[Request]]:
        store = another()
        return store, fill(store)

    def test_windows_of_days_are_exact(self, days: tuple[EventStore, list[Request]]) -> None:
        (store, rows), chance = days, random.Random(6)
        for _ in range(25):
            start_us, end_us = sorted(NOON_US + chance.randrange(DAYS * DAY_US) for _ in range(2))
            durations = within(rows, start_us, end_us)
            filter = Filter(project_id=1, start_us=start_us, end_us=end_us)
            summary = store.summary(filter, Thresholds(8_000))
            assert (summary.requests, summary.duration_us) == (len(durations), sum(durations))
            if durations:
                assert summary.p95_us is not None
                exact = quantile(durations, 95)
                assert abs(summary.p95_us - exact) <= max(1.0, 0.010_000_1 * exact)
            assert sum(one.requests for one in store.operations(filter)) == len(durations)
            assert sum(one.requests for one in store.statuses(filter)) == len(durations)

    def test_the_slowest_and_the_newest_of_days(
        self, days: tuple[EventStore, list[Request]]
    ) -> None:
        """Rollups may say where they lie; what is in none yet is found all the same, and nothing is
        lost between two pages."""
        (store, rows), chance = days, random.Random(7)
        for turn in range(12):
            start_us, end_us = NOON_US + chance.randrange(DAY_US), END_US - chance.randrange(DAY_US)
            method, _, route = ("GET", " ", chance.choice(ROUTES)) if turn % 2 else ("", "", "")
            status = chance.choice((None, "4xx", "500"))
            matching = sorted(
                (int(str(row["start_us"])), int(str(row["duration_us"])))
                for row in rows
                if start_us <= int(str(row["start_us"])) < end_us
                and (not method or row["operation"] == f"GET {route}")
                and (status is None or str(row["status"])[0] == status[0])
            )
            filter = Filter(
                project_id=1, start_us=start_us, end_us=end_us, status=status,
                method=method or None, route=route if method else None,
            )  # fmt: skip
            slowest = store.slowest(filter, 10)
            durations = sorted((duration for _, duration in matching), reverse=True)
            assert [row.duration_us for row in slowest] == durations[:10]
            starts, cursor = [], None
            for _ in range(3):
                page = store.requests(filter, 40, cursor)
                starts += [row.start_us for row in page.rows]
                cursor = page.next
                if cursor is None:
                    break
            assert starts == [start for start, _ in reversed(matching)][: len(starts)]
            assert len(starts) == min(120, len(matching))

    def test_what_arrives_late_is_shown_though_its_time_was_forgotten(
        self, store: EventStore
    ) -> None:
        """Rollups count what is deleted; a list must not end there."""
        store.append(block([{"start_us": NOON_US + n} for n in range(100)]), 1)
        store.roll()
        store.maintain(NOON_US + DAY_US)
        kept = {1: Retention(raw_days=1, minutes_days=90, hours_days=700)}
        store.forget(NOON_US + 2 * DAY_US, kept)
        late: list[Request] = [{"start_us": NOON_US - DAY_US}, {"start_us": NOON_US + DAY_US}]
        store.append(block(late, number=2, sent_total=102), 2)
        store.roll()
        filter = Filter(
            project_id=1, start_us=NOON_US - 3 * DAY_US, end_us=NOON_US + 3 * DAY_US, route="/"
        )
        starts = [NOON_US + DAY_US, NOON_US - DAY_US]
        assert [row.start_us for row in store.requests(filter, 10).rows] == starts
        assert {row.start_us for row in store.slowest(filter, 10)} == set(starts)

    def test_every_step_of_days_is_exact(self, days: tuple[EventStore, list[Request]]) -> None:
        store, rows = days
        for step_us in STEPS_US:
            start_us, end_us = NOON_US + 1_234_567, END_US - 7_654_321
            filter = Filter(project_id=1, start_us=start_us, end_us=end_us)
            for point in store.series(filter, step_us):
                first, last = max(start_us, point.start_us), min(end_us, point.start_us + step_us)
                assert point.requests == len(within(rows, first, last)), (step_us, point)

    def test_a_short_window_of_which_only_rollups_are_kept_shows_them(
        self, store: EventStore
    ) -> None:
        store.append(block([{"start_us": NOON_US + place * MINUTE_US} for place in range(5)]), 1)
        store.roll()
        kept = {1: Retention(raw_days=1, minutes_days=90, hours_days=700)}
        filter = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 5 * MINUTE_US)
        before = store.revision(1)
        store.forget(NOON_US + 2 * DAY_US, kept)
        assert store.requests(filter, 10).rows == []
        assert store.revision(1) != before, "what was deleted is shown no more"
        assert store.summary(filter).requests == 5
        points = store.series(filter, 2_000_000)
        assert [point.start_us for point in points if point.requests] == [
            NOON_US + place * MINUTE_US for place in range(5)
        ]
        again = store.revision(1)
        store.forget(NOON_US + 2 * DAY_US, kept)
        assert store.revision(1) == again, "nothing was deleted"
