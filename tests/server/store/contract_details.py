"""Windows of days asked for what only single requests know: measures, consumers, paths in vain."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from flask_performance.server.store.base import DAY_US, EventStore, Filter

from .builders import NOON_US, block
from .model import HOUR_US, quantile

DAYS = 3
END_US = NOON_US + DAYS * DAY_US
OPERATIONS = ("GET /", "POST /users/<int:id>", "GET ")
Request = dict[str, Any]
Days = tuple[EventStore, list[Request]]


def fill(store: EventStore, count: int = 3_000) -> list[Request]:
    """Requests of some days; the store's upkeep runs meanwhile, and once more before the last."""
    chance = random.Random(7)
    rows: list[Request] = []
    for _ in range(count):
        duration_us = int(chance.lognormvariate(9, 2)) + 1
        operation = chance.choice(OPERATIONS)
        rows.append(
            {
                "start_us": NOON_US + chance.randrange(DAYS * DAY_US),
                "duration_us": duration_us,
                "cpu_us": chance.choice((-1, 0, duration_us // 3)),
                "response_bytes": chance.randrange(5_000),
                "operation": operation,
                "status": chance.choice((200, 404, 500)) if operation != "GET " else 404,
                "path": f"/{chance.randrange(40)}" if operation == "GET " else None,
                "consumer": chance.choice((None, "ada", "bob", "eve")),
            }
        )
    for number in range(6):
        some = rows[number * count // 6 : (number + 1) * count // 6]
        made = block(some, number=number + 1, sent_total=(number + 1) * count // 6)
        store.append(made, number + 1)
        if number < 5:
            store.roll()
        if number in (1, 3):
            store.maintain(END_US + 2 * DAY_US)
    return rows


def windows(rows: list[Request]) -> list[tuple[Filter, list[Request]]]:
    """Some windows of a day or more, some of one operation, each with its requests."""
    chance, found = random.Random(8), []
    for turn in range(12):
        start_us = NOON_US + chance.randrange(DAY_US)
        end_us = start_us + chance.randrange(DAY_US, DAYS * DAY_US)
        method, _, route = OPERATIONS[turn % len(OPERATIONS)].partition(" ")
        of: Request = {} if turn % 2 else {"method": method, "route": route}
        inside = [
            row
            for row in rows
            if start_us <= row["start_us"] < end_us
            and (not of or row["operation"] == f"{method} {route}")
        ]
        found.append((Filter(project_id=1, start_us=start_us, end_us=end_us, **of), inside))
    return found


class DetailsContract:
    """For a class with the fixtures `store` and `another`."""

    @pytest.fixture(scope="class")
    @classmethod
    def days_of_details(cls, another: Callable[[], EventStore]) -> Days:
        store = another()
        return store, fill(store)

    def test_measures_of_days(self, days_of_details: Days) -> None:
        store, all_rows = days_of_details
        for filter, rows in windows(all_rows):
            found = store.measures(filter)
            known = {
                "cpu_us": [row["cpu_us"] for row in rows if row["cpu_us"] >= 0],
                "response_bytes": [row["response_bytes"] for row in rows],
                "duration_us": [row["duration_us"] for row in rows],
            }
            for name, values in known.items():
                spread = found[name]  # type: ignore[index]
                assert spread.requests == len(values)
                for percent, answer in ((50, spread.p50), (95, spread.p95), (99, spread.p99)):
                    exact = quantile(values, percent)
                    assert abs(answer - exact) <= max(1.0, 0.010_000_1 * exact)

    def test_consumers_of_days(self, days_of_details: Days) -> None:
        store, all_rows = days_of_details
        for filter, rows in windows(all_rows):
            counts = Counter(row["consumer"] for row in rows if row["consumer"])
            times = Counter[str]()
            for row in rows:
                times[row["consumer"] or ""] += row["duration_us"]
            found = store.consumers(filter, 2)
            assert [one.consumer for one in found] == sorted(counts, key=lambda name: -times[name])[
                :2
            ]
            for one in found:
                assert one.requests == counts[one.consumer]
                assert one.duration_us == times[one.consumer]
                assert one.errors == sum(
                    row["status"] == 500 for row in rows if row["consumer"] == one.consumer
                )

    def test_unmatched_paths_of_days(self, days_of_details: Days) -> None:
        store, all_rows = days_of_details
        for filter, rows in windows(all_rows):
            vain = [row for row in rows if row["operation"] == "GET "]
            found = store.unmatched(filter, 1_000)
            assert {one.path: one.requests for one in found} == Counter(row["path"] for row in vain)
            for one in found[:5]:
                of_path = [row for row in vain if row["path"] == one.path]
                named = [row for row in of_path if row["consumer"]]
                assert one.last_us == max(row["start_us"] for row in of_path)
                assert one.consumer == max(named, key=lambda row: row["start_us"])["consumer"]
                assert one.several == (len({row["consumer"] for row in named}) > 1)

    def test_days_of_strangers_paths_hide_no_frequent_one(self, store: EventStore) -> None:
        chance, most = random.Random(9), 4_000
        for number in range(1, 4):
            rows: list[dict[str, object]] = [
                {
                    "start_us": NOON_US + chance.randrange(DAY_US),
                    "operation": "GET ", "status": 404,
                    "path": f"/often/{place % 3}" if place % 8 == 0 else f"/{chance.random()}",
                }
                for place in range(most)
            ]  # fmt: skip
            store.append(block(rows, number=number, sent_total=number * most), number)
            store.roll()
            store.maintain(END_US)
        filter = Filter(project_id=1, start_us=NOON_US - HOUR_US, end_us=NOON_US + 2 * DAY_US)
        found = {one.path: one.requests for one in store.unmatched(filter, 3)}
        often = 3 * most // 8 // 3
        assert set(found) == {f"/often/{place}" for place in range(3)}
        for requests in found.values():
            assert requests == pytest.approx(often, abs=3 * most / 1000)
