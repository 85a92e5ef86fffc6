"""The numbers: what was stored is what is answered, in milliseconds."""

import time
from datetime import UTC, datetime

import pytest
from flask import Flask

from flask_performance.server.store.base import MINUTE_US, SECOND_US
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.store.builders import NOON_US, block
from tests.server.store.contract_processes import of_release

from .support import Person, Project

NOON = "2025-11-21T12:00:00Z"
#: The ten minutes from noon.
WINDOW = {"start": NOON, "end": "2025-11-21T12:10:00Z"}


def at(seconds: float) -> int:
    return NOON_US + int(seconds * SECOND_US)


@pytest.fixture(scope="module")
def shop(app: Flask, store: DuckDBStore) -> Project:
    """Eight quick requests of /users, two slow failures of /pay and one 404."""
    users = [
        {"operation": "GET /users", "start_us": at(10 * n), "duration_us": 10_000} for n in range(8)
    ]
    pays = [
        {"operation": "POST /pay", "start_us": at(300 + n), "duration_us": 60_000, "status": 500,
         "exception": "shop.NoMoney", "path": "/pay"}
        for n in range(2)
    ]  # fmt: skip
    lost = {"operation": "GET ", "start_us": at(400.123456), "duration_us": 1_234, "status": 404,
            "path": "/wp-admin", "first_byte_us": 1_000, "request_bytes": 12, "response_bytes": 34,
            "cpu_us": 777, "queue_us": 50, "trace_id": "c" * 32, "consumer": "bot"}  # fmt: skip
    shop = Person.create(app, "ada@example.org").create_project("Shop")
    store.append(
        block(
            [*users, *pays, lost],
            project_id=shop.store_id,
            received_us=at(401),
            sent_total=11,
            waiting=3,
            dropped_totals={"buffer_full": 2},
        ),
        position=1,
    )
    return shop


def test_the_clock_of_these_tests() -> None:
    assert datetime.fromtimestamp(NOON_US / 1e6, UTC).isoformat() == "2025-11-21T12:00:00+00:00"


def test_summary(shop: Project) -> None:
    summary = shop.get("summary", **WINDOW)
    assert (summary["start"], summary["end"]) == (
        "2025-11-21T12:00:00.000000Z",
        "2025-11-21T12:10:00.000000Z",
    )
    assert (summary["requests"], summary["errors"]) == (11, 2)
    assert summary["error_rate"] == pytest.approx(2 / 11)
    assert summary["per_second"] == pytest.approx(11 / 600)
    assert summary["mean"] == pytest.approx((8 * 10 + 2 * 60 + 1.234) / 11, abs=0.001)
    assert summary["p50"] == pytest.approx(10, rel=0.01)
    assert summary["p99"] == pytest.approx(60, rel=0.01)
    assert summary["apdex"] == pytest.approx(9 / 11)


def test_an_empty_window_has_no_durations(shop: Project) -> None:
    summary = shop.get("summary", start="2020-01-01T00:00:00Z", end="2020-01-01T01:00:00Z")
    assert summary["requests"] == summary["errors"] == summary["error_rate"] == 0
    assert {summary[name] for name in ("mean", "p50", "p95", "p99", "apdex")} == {None}


def test_the_default_window_is_the_last_15_minutes(store: DuckDBStore, ada: Person) -> None:
    shop = ada.create_project("Shop")
    now_us = time.time_ns() // 1000
    rows: list[dict[str, object]] = [
        {"start_us": now_us - 14 * MINUTE_US},
        {"start_us": now_us - 16 * MINUTE_US},
    ]
    store.append(block(rows, project_id=shop.store_id), position=2)
    assert shop.get("summary")["requests"] == 1
    only_end = datetime.fromtimestamp(now_us / 1e6 - 120, UTC).isoformat()
    assert shop.get("summary", end=only_end)["requests"] == 2


@pytest.mark.parametrize(
    ("filters", "requests"),
    [
        ({"method": "GET"}, 9),
        ({"method": "post"}, 2),
        ({"route": "/users"}, 8),
        ({"route": ""}, 1),
        ({"status": "404"}, 1),
        ({"status": "5xx"}, 2),
        ({"status": "2XX"}, 8),
        ({"environment": "production"}, 11),
        ({"environment": "staging"}, 0),
        ({"method": "GET", "status": "5xx"}, 0),
    ],
)
def test_filters(shop: Project, filters: dict[str, str], requests: int) -> None:
    assert shop.get("summary", **WINDOW, **filters)["requests"] == requests
    assert len(shop.get("requests", **WINDOW, **filters)["items"]) == requests
    operations = shop.get("operations", **WINDOW, **filters)["items"]
    assert sum(operation["requests"] for operation in operations) == requests
    series = shop.get("series", **WINDOW, **filters)["items"]
    assert sum(step["requests"] for step in series) == requests


def test_operations_most_time_first(shop: Project) -> None:
    items = shop.get("operations", **WINDOW)["items"]
    assert [(item["method"], item["route"]) for item in items] == [
        ("POST", "/pay"),
        ("GET", "/users"),
        ("GET", ""),
    ]
    total = 120 + 80 + 1.234
    assert [item["share"] for item in items] == [
        pytest.approx(time / total) for time in (120, 80, 1.234)
    ]
    pay = items[0]
    assert (pay["requests"], pay["errors"], pay["error_rate"], pay["mean"]) == (2, 2, 1.0, 60.0)
    assert [item["apdex"] for item in items] == [0.0, 1.0, 1.0]
    assert pay["per_second"] == pytest.approx(2 / 600)


def test_series(shop: Project) -> None:
    series = shop.get("series", **WINDOW, step=60)
    assert series["step"] == 60
    assert [step["requests"] for step in series["items"]] == [6, 2, 0, 0, 0, 2, 1, 0, 0, 0]
    first, paying, lost = series["items"][0], series["items"][5], series["items"][6]
    assert first["start"] == "2025-11-21T12:00:00.000000Z"
    assert (first["success"], first["errors"], first["per_second"]) == (6, 0, 0.1)
    assert (paying["server_error"], paying["errors"], paying["success"]) == (2, 2, 0)
    assert paying["p50"] == pytest.approx(60, rel=0.01)
    assert lost["client_error"] == 1
    assert series["items"][9]["p50"] is None
    assert (first["satisfied"], first["tolerated"], first["apdex"]) == (6, 0, 1.0)
    assert (paying["error_rate"], paying["apdex"]) == (1.0, 0.0)
    empty = series["items"][9]
    assert (empty["error_rate"], empty["apdex"], empty["satisfied"]) == (None, None, 0)


def test_releases_first_heard_in_the_window(store: DuckDBStore, ada: Person) -> None:
    shop = ada.create_project("Shop")
    for number, release in enumerate(("1.0", "1.1", "1.0")):
        one = block(
            [{"start_us": at(60 * number)}], project_id=shop.store_id, wire_id=f"{number:032x}",
            environment="staging", received_us=at(100 + 60 * number),
        )  # fmt: skip
        store.append(of_release(one, release), store.position() + 1)
    items = shop.get("releases", **WINDOW)["items"]
    assert items == [
        {"name": "1.1", "first_heard": "2025-11-21T12:01:00.000000Z"},
        {"name": "1.0", "first_heard": "2025-11-21T12:00:00.000000Z"},
    ]
    assert shop.get("releases", **WINDOW, environment="staging", status="404")["items"] == items
    assert shop.get("releases", **WINDOW, environment="production")["items"] == []
    later = {"start": "2025-11-21T12:00:30Z", "end": WINDOW["end"]}
    assert [one["name"] for one in shop.get("releases", **later)["items"]] == ["1.1"]


def test_a_step_cut_by_the_window_has_its_true_rate(shop: Project) -> None:
    series = shop.get("series", start="2025-11-21T12:00:30Z", end="2025-11-21T12:01:00Z", step=60)
    (step,) = series["items"]
    assert (step["requests"], step["per_second"]) == (3, pytest.approx(3 / 30))


@pytest.mark.parametrize(
    ("end", "step"),
    [("12:00:01", 1), ("12:10:00", 2), ("12:15:00", 5), ("13:00:00", 15), ("23:59:59", 300)],
)
def test_the_default_step_gives_at_most_300_steps(shop: Project, end: str, step: int) -> None:
    series = shop.get("series", start=NOON, end=f"2025-11-21T{end}Z")
    assert series["step"] == step
    assert len(series["items"]) <= 301


def test_a_request_in_full(shop: Project) -> None:
    request = shop.get("requests", **WINDOW, status="404")["items"][0]
    assert request.pop("id") > 0
    assert request == {
        "start": "2025-11-21T12:06:40.123456Z",
        "duration": 1.234,
        "method": "GET",
        "route": "",
        "endpoint": None,
        "path": "/wp-admin",
        "status": 404,
        "outcome": "completed",
        "first_byte": 1.0,
        "request_bytes": 12,
        "response_bytes": 34,
        "cpu": 0.777,
        "queue": 0.05,
        "exception": None,
        "trace_id": "c" * 32,
        "consumer": "bot",
        "instance": "a" * 32,
        "host": None,
        "environment": "production",
        "release": None,
    }


@pytest.mark.parametrize("part", ["requests", "operations"])
@pytest.mark.parametrize("limit", [1, 2, 3, 11, 1000])
def test_pages_join_without_gap_or_repeat(shop: Project, part: str, limit: int) -> None:
    whole = shop.get(part, **WINDOW)
    assert whole["next"] is None
    pages = [shop.get(part, **WINDOW, limit=limit)]
    while pages[-1]["next"] is not None:
        assert len(pages[-1]["items"]) == limit
        pages.append(shop.get(part, **WINDOW, limit=limit, cursor=pages[-1]["next"]))
    assert [item for page in pages for item in page["items"]] == whole["items"]


def test_requests_come_newest_first(shop: Project) -> None:
    starts = [item["start"] for item in shop.get("requests", **WINDOW)["items"]]
    assert starts == sorted(starts, reverse=True)


def test_ledger(shop: Project) -> None:
    assert shop.get("ledger", **WINDOW) == {
        "seen": 16,
        "stored": 11,
        "waiting": 3,
        "lost": 0,
        "dropped": {"buffer_full": 2},
        "silent": 0,
    }
    assert shop.get("ledger", **WINDOW, status="404") == shop.get("ledger", **WINDOW)
    assert shop.get("ledger", **WINDOW, environment="staging")["seen"] == 0


def test_the_rate_of_a_young_project_is_since_its_first_request(
    store: DuckDBStore, ada: Person
) -> None:
    shop = ada.create_project("Young")
    rows: list[dict[str, object]] = [{"start_us": at(300 + n)} for n in range(60)]
    made = block(rows, project_id=shop.store_id, received_us=at(360))
    store.append(made, position=store.position() + 1)
    assert shop.get("summary", **WINDOW)["per_second"] == pytest.approx(60 / 300)
    [operation] = shop.get("operations", **WINDOW)["items"]
    assert operation["per_second"] == pytest.approx(60 / 300)


def test_unmatched_paths(shop: Project) -> None:
    [item] = shop.get("unmatched", **WINDOW)["items"]
    assert item == {
        "method": "GET",
        "path": "/wp-admin",
        "status": 404,
        "requests": 1,
        "last": "2025-11-21T12:06:40.123456Z",
        "consumer": "bot",
        "probe": "WordPress",
        "hint": None,
        "route": None,
    }
    assert shop.get("unmatched", **WINDOW, status="405")["items"] == []


def test_instances(shop: Project) -> None:
    answer = shop.get("instances", **WINDOW)
    [one] = answer["items"]
    assert (one["id"], one["environment"], one["requests"]) == ("a" * 32, "production", 11)
    assert (one["state"], one["busy"], one["memory"]) == ("serving", None, None)
    assert one["queue_p95"] == pytest.approx(0.05, rel=0.01)
    assert one["per_second"] == pytest.approx(11 / 600)


def test_routes(shop: Project) -> None:
    found = {(one["method"], one["route"]): one for one in shop.get("routes", **WINDOW)["items"]}
    assert set(found) == {("GET", "/users"), ("POST", "/pay")}
    users = found["GET", "/users"]
    assert (users["called"], users["requests"], users["declared"]) == ("called", 8, False)
    assert users["last_called"] == "2025-11-21T12:01:10.000000Z"
