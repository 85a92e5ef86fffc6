"""Declared and called routes, put together."""

from pathlib import Path

from flask_performance.server.store.base import HOUR_US, MINUTE_US, Filter
from flask_performance.server.store.declared import Route, routes
from flask_performance.server.store.duckdb import DuckDBStore

from .builders import NOON_US, block
from .contract_processes import at, declares

WINDOW = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + HOUR_US)


def told(found: list[Route]) -> dict[str, str]:
    return {
        f"{one.method or 'any'} {one.route}": f"{one.called} {one.requests}"
        + ("" if one.declared else " undeclared")
        for one in found
    }


def test_every_route_is_told_once_with_who_calls_it(tmp_path: Path) -> None:
    store = DuckDBStore(tmp_path / "events.duckdb")
    before = block([{"operation": "GET /quiet"}], received_us=at(-90))
    store.append(declares(before, "GET /", "POST /", "GET /quiet", "GET /old"), 1)
    names = ["GET /"] * 3 + [
        "HEAD /",
        "PUT /any",
        "POST /any",
        "GET /old",
        "GET /undeclared",
        "GET ",
    ]
    now = block([{"operation": name} for name in names], number=2, received_us=at(5))
    store.append(
        declares(now, "GET /", "POST /", "GET /quiet", " /any", "GET /static/<path:filename>"), 2
    )
    # Another app of the project, and another environment, have routes of their own.
    other = block([], wire_id="o", received_us=at(9))
    store.append(declares(other, "GET /report", app="backoffice"), 3)
    staging = block([], wire_id="s", environment="staging", received_us=at(9))
    store.append(declares(staging, "GET /", "GET /new"), 4)
    found = routes(store, WINDOW)
    assert told(found) == {
        "GET /": "called 3", "POST /": "never 0", "any /any": "called 2", "GET /new": "never 0",
        "GET /old": "called 1 undeclared", "GET /quiet": "quiet 0", "GET /report": "never 0",
        "GET /static/<path:filename>": "never 0", "GET /undeclared": "called 1 undeclared",
    }  # fmt: skip
    by_name = {(one.method, one.route): one for one in found}
    first = by_name["GET", "/"]
    assert (first.environments, first.apps) == (("production", "staging"), ("shop",))
    assert (first.first_us, first.last_us, first.called_us) == (at(-90), at(9), at(5))
    assert by_name["GET", "/quiet"].called_us == at(-90)
    staged = routes(store, Filter(
        project_id=1, start_us=NOON_US, end_us=NOON_US + MINUTE_US, environment="staging",
    ))  # fmt: skip
    assert told(staged) == {"GET /": "quiet 0", "GET /new": "never 0"}
    store.close()
