"""Percentiles that the API answers are within 1 % of those of its raw requests, however old."""

import random
from collections import defaultdict
from datetime import UTC, datetime

import pytest

from flask_performance.server.store.base import DAY_US, HOUR_US, MINUTE_US
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.store.builders import NOON_US, block
from tests.server.store.model import quantile

from .support import Project

PERCENTS = {"p50": 50, "p95": 95, "p99": 99}
#: Durations of a cache, of pages, and of reports: three modes, over five orders of magnitude.
OPERATIONS = {"GET /cached": (6.0, 0.4), "GET /page": (10.0, 1.1), "GET /report": (14.0, 0.6)}
COUNT = 4_500
#: How long the windows are.
WINDOWS_US = {"a minute": MINUTE_US, "an hour": HOUR_US, "a day": DAY_US, "30 days": 30 * DAY_US}


def instant(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def fill(store: DuckDBStore, shop: Project) -> None:
    """A third of the requests each in the last minutes, hours and days before noon."""
    chance = random.Random(1)
    rows = []
    for place in range(COUNT):
        operation = chance.choices(list(OPERATIONS), [6, 3, 1])[0]
        ago_us = chance.randrange((2 * MINUTE_US, 3 * HOUR_US, 31 * DAY_US)[place % 3])
        duration_us = int(chance.lognormvariate(*OPERATIONS[operation]))
        rows.append(
            {"operation": operation, "start_us": NOON_US - ago_us, "duration_us": duration_us}
        )
    store.append(block(rows, project_id=shop.store_id), store.position() + 1)


def raw(shop: Project) -> list[tuple[int, str, int]]:
    """Start, operation and duration (microseconds) of every request, as the API lists them."""
    found: list[tuple[int, str, int]] = []
    cursor: dict[str, str] = {}
    while True:
        page = shop.get(
            "requests", start=instant(NOON_US - 40 * DAY_US), end=instant(NOON_US), limit=1000,
            **cursor,
        )  # fmt: skip
        for one in page["items"]:
            start = datetime.fromisoformat(one["start"])
            start_us = int(start.timestamp()) * 1_000_000 + start.microsecond
            operation = f"{one['method']} {one['route']}"
            found.append((start_us, operation, round(one["duration"] * 1000)))
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def near(answer: dict[str, float], durations_us: list[int]) -> None:
    for name, percent in PERCENTS.items():
        exact = quantile(durations_us, percent) / 1000
        assert answer[name] == pytest.approx(exact, rel=0.010_001, abs=0.001), name


def test_percentiles_are_within_one_percent_of_the_raw_requests(
    store: DuckDBStore, shop: Project
) -> None:
    fill(store, shop)
    requests = raw(shop)
    assert len(requests) == COUNT
    for stage in ("as they came", "rolled up", "merged"):
        if stage == "rolled up":
            store.roll()
        if stage == "merged":
            store.maintain(NOON_US + DAY_US)
        for name, width_us in WINDOWS_US.items():
            # Neither end falls on a step of any rollup, so that these and raw requests meet.
            start_us, end_us = NOON_US - width_us - 1_234_567, NOON_US - 7_654_321
            inside = [one for one in requests if start_us <= one[0] < end_us]
            assert len(inside) > 150, name
            window = {"start": instant(start_us), "end": instant(end_us)}
            summary = shop.get("summary", **window)
            assert summary["requests"] == len(inside)
            near(summary, [one[2] for one in inside])
            by_operation = defaultdict(list)
            for _, operation, duration_us in inside:
                by_operation[operation].append(duration_us)
            listed = shop.get("operations", **window)["items"]
            assert len(listed) == len(by_operation)
            for one in listed:
                near(one, by_operation[f"{one['method']} {one['route']}"])
