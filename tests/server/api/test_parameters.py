"""What a query may say, and the 400 that names what it may not."""

import pytest

from flask_performance.server.api import times

from .support import Person, Project


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01 00:00:01Z", 1_000_000),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1970-01-01T00:00:00.123456Z", 123_456),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T19:00:00-05:00", 0),
        ("1970-01-01T02:00:00 02:00", 0),  # its plus was decoded to a space
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_times(text: str, us: int) -> None:
    assert times.to_us(text) == us


def test_times_go_there_and_back() -> None:
    assert times.from_us(times.to_us("2025-11-21T13:00:00.000001+01:00")) == (
        "2025-11-21T12:00:00.000001Z"
    )


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        *(
            ("summary", name, value)
            for name in ("start", "end")
            for value in (
                "", "yesterday", "1763726400", "2025-11-21", "20251121T120000Z", "2025-W47-5",
                "2025-11-21T12:00:00", "2025-13-01T00:00:00Z", "2025-11-21T25:00:00Z",
                "2025-11-21T12:00:00+2500",
                "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-00:01",
                "0001-01-01T00:00:00+23:59:59",
                "\u0662025-11-21T12:00:00Z", "2025-11-21T12:00:00Z\n",
            )
        ),
        *(("operations", "status", v) for v in ("", "40", "4x", "xxx", "600", "0xx", "404 ")),
        *(("requests", "limit", v) for v in ("", "0", "-1", "1001", "ten", "1.5", "1e2", "9" * 50)),
        *(("series", "step", v) for v in ("", "0", "-5", "0.5", "five", "9" * 50)),
        *(("requests", "cursor", v) for v in ("", "garbage", "1-", "-1", "1-2-3", "\x00")),
        *(("operations", "cursor", v) for v in ("", "garbage", "-1", "9" * 50, "1.0")),
        ("summary", "route", "/" * 2001),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(shop: Project, part: str, name: str, value: str) -> None:
    error = shop.refused(part, **{name: value})
    assert (error["code"], error["parameter"]) == ("bad_parameter", name)
    assert error["message"].startswith(f"{name} ")
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        ("2025-11-21T12:00:00Z", "2025-11-21T12:00:00Z", "start"),
        ("2025-11-21T12:00:01Z", "2025-11-21T12:00:00Z", "start"),
        ("2999-01-01T00:00:00Z", None, "start"),
    ],
)
def test_an_empty_window_is_refused(shop: Project, start: str, end: str | None, name: str) -> None:
    window = {"start": start} | ({"end": end} if end else {})
    for part in ("summary", "operations", "series", "requests", "ledger"):
        error = shop.refused(part, **window)
        assert error["parameter"] == name
        assert "start must be before end" in error["message"]


def test_a_misspelt_parameter_is_refused(shop: Project) -> None:
    error = shop.refused("summary", staus="404")
    assert error["parameter"] == "staus"
    assert "start, end, method, route, status, environment" in error["message"]


def test_a_repeated_parameter_is_refused(shop: Project) -> None:
    error = shop.owner.ask("GET", f"/projects/{shop.id}/summary?status=404&status=500")
    assert error.status_code == 400
    assert error.json
    assert error.json["error"]["parameter"] == "status"


def test_a_series_of_too_many_steps_is_refused(shop: Project) -> None:
    window = {"start": "2025-01-01T00:00:00Z", "end": "2025-12-31T00:00:00Z"}
    error = shop.refused("series", **window, step=1)
    assert error["parameter"] == "step"
    assert "at most 10000 are possible" in error["message"]
    assert len(shop.get("series", **window)["items"]) <= 301


@pytest.mark.parametrize("part", ["summary", "operations", "series", "requests", "ledger"])
def test_the_longest_window_is_answered(shop: Project, part: str) -> None:
    shop.get(part, start="1970-01-01T00:00:00Z", end="9999-12-31T23:59:59Z")


@pytest.mark.parametrize(
    "text", ["'; drop table request; --", "%", "\x00", "\u202e", "店", "a" * 2000]
)
def test_any_text_is_only_text(shop: Project, text: str) -> None:
    for name in ("method", "route", "environment"):
        assert shop.get("summary", **{name: text})["requests"] == 0


def test_lists_of_projects_have_pages(ada: Person) -> None:
    for n in range(3):
        ada.create_project(f"App {n}")
    first = ada.get("/projects", limit=2)
    assert [p["name"] for p in first["items"]] == ["App 0", "App 1"]
    rest = ada.get("/projects", limit=2, cursor=first["next"])
    assert ([p["name"] for p in rest["items"]], rest["next"]) == (["App 2"], None)
