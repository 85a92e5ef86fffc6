"""What charts say of releases, of errors and of Apdex over time."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from flask_performance.server.dashboard.panels import apdex, axis, errors, headline, throughput
from flask_performance.server.dashboard.scope import Project, Scope
from flask_performance.server.dashboard.state import State
from flask_performance.server.store.base import Thresholds
from flask_performance.server.store.duckdb import DuckDBStore
from tests.server.store.builders import block
from tests.server.store.contract_processes import of_release

from .conftest import World

SECOND_US = 1_000_000
#: On a minute, so that steps of 15 minutes' charts begin at whole tens of seconds.
NOW_US = 1_767_268_800 * SECOND_US
SHOP = Project(1, "0123456789abcdef", "Shop", "Team", None, thresholds=Thresholds(500_000))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    with closing(DuckDBStore(tmp_path / "events")) as store:
        yield store


def receive(
    store: DuckDBStore, seconds_ago: float, *rows: dict[str, object], release: str | None = None
) -> None:
    """A batch of a new process whose requests began, and arrived, so long ago."""
    at_us = NOW_US - int(seconds_ago * SECOND_US)
    number = store.position() + 1
    made = block(
        [{"start_us": at_us, **row} for row in rows], received_us=at_us, wire_id=f"{number:032x}"
    )
    store.append(of_release(made, release), number)


def scope(store: DuckDBStore, **state: Any) -> Scope:
    return Scope(store, SHOP, State(**state), at_us=NOW_US)


def test_a_chart_marks_where_each_release_was_first_heard(store: DuckDBStore) -> None:
    for ago, release in ((2000, "0.9"), (300, "1.0"), (61.5, "1.1"), (60.5, "1.2"), (5, "1.0")):
        receive(store, ago, {}, release=release)
    shown = scope(store)
    data = throughput.data(shown)
    assert data["releases"] == {
        "words": "3 releases",
        "marks": [
            {"at": NOW_US / 1e6 - ago, "name": name}
            for ago, name in ((300, "1.0"), (61.5, "1.1"), (60.5, "1.2"))
        ],
    }
    step = NOW_US - 70 * SECOND_US
    assert axis.first_heard(shown) == {NOW_US - 300 * SECOND_US: "1.0", step: "1.1, 1.2"}
    assert [row[-1] for row in throughput.table(shown).rows if row[-1]] == ["1.0", "1.1, 1.2"]
    assert axis.marks(scope(store, environment="staging"))["marks"] == []


def test_of_very_many_releases_the_newest_are_marked_and_it_says_so(store: DuckDBStore) -> None:
    for number in range(30):
        receive(store, 600 - number, {}, release=f"1.{number}")
    marks = axis.marks(scope(store))
    assert marks["words"] == "the newest 20 of 30 releases"
    assert [one["name"] for one in marks["marks"]] == [f"1.{number}" for number in range(10, 30)]
    assert axis.words(1, "1.0") == "release 1.0"
    assert axis.words(1, "9f3c2ab177de01f3c2" * 9) == "release 9f3c2ab177de01f3c29f3c2…"


def test_errors_and_apdex_add_up_to_the_headline(store: DuckDBStore) -> None:
    failed: dict[str, object] = {"status": 503, "duration_us": 100}
    receive(store, 300, {}, {}, {"duration_us": 900_000}, failed)
    receive(store, 100, failed, {"outcome": 2}, {"duration_us": 2_000_001})
    shown = scope(store)
    found = errors.data(shown)
    assert sum(found["errors"]) == shown.summary.errors == 3
    assert sum(found["requests"]) == shown.summary.requests == 7
    judged = apdex.data(shown)
    assert judged["totals"] == [shown.summary.apdex, 2, 1, 4]
    values = [value for value in judged["apdex"] if value is not None]
    assert values == [(2 + 0.5) / 4, 0.0]
    assert [counts for counts in judged["counts"] if any(counts)] == [(2, 1, 1), (0, 0, 3)]
    rates = [row[3] for row in errors.table(shown).rows if row[1]]
    assert rates == [1 / 4, 2 / 3]


def test_an_operation_is_judged_by_its_own_threshold_and_says_so(store: DuckDBStore) -> None:
    receive(store, 100, {"operation": "GET /slow", "duration_us": 3_000_000})
    own = Thresholds(500_000, (("GET", "/slow", 4_000_000), ("GET", "/quick", 1_000)))
    project = replace(SHOP, thresholds=own)
    shown = Scope(store, project, State(method="GET", route="/slow"), at_us=NOW_US)
    assert apdex.data(shown)["title"] == "4000 ms satisfies"
    figure = headline.show(shown)["figures"][-1]
    assert (figure.value, figure.note) == ("1.00", "4000 ms satisfies")
    assert "own threshold" not in figure.title
    everything = Scope(store, project, State(), at_us=NOW_US)
    assert apdex.data(everything)["title"] == "500 ms satisfies"
    assert apdex.data(everything)["totals"] == [1.0, 1, 0, 0]


def words_of(text: str, panel: str) -> str:
    html = text.split(f'id="panel-{panel}"')[1].split("</section>")[0]
    html = re.sub(r"<script.+?</script>", "", html)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


@pytest.mark.parametrize("path", ["?range=1h", "/operations?range=1h&method=GET&route=/books"])
def test_legends_and_tables_say_it_without_scripts(world: World, path: str) -> None:
    world.receive(3, operation="GET /books")
    world.receive(1, operation="GET /books", status=500)
    text = world.person().get(f"/projects/{world.mine}{path}").text
    assert "errors 1 of 4" in words_of(text, "errors")
    assert re.search(r"Error rate % Errors Requests .+ \d+ \d+ ", words_of(text, "errors"))
    assert "Apdex 0.75 satisfied 3 tolerated 0 neither 1" in words_of(text, "apdex")
    assert re.search(r"Satisfied Tolerated Neither .+ 0\.\d\d|1\.00", words_of(text, "apdex"))
