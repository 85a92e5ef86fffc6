"""What panels say about the numbers they get."""

from typing import get_args

import msgspec
import pytest

from flask_performance.server.dashboard.panels import headline, ledger, operations, projects
from flask_performance.server.dashboard.scope import Project
from flask_performance.server.dashboard.sparks import spark
from flask_performance.server.dashboard.state import State
from flask_performance.server.store.base import LedgerTotals, OperationStats, Pulse, Stats
from flask_performance.server.store.block import PlatformReason
from flask_performance.wire import DROP_REASONS


def stats(requests: int, errors: int = 0, p95_us: float | None = None) -> Stats:
    return Stats(
        requests=requests, errors=errors, duration_us=requests * 1000,
        p50_us=p95_us, p95_us=p95_us, p99_us=p95_us,
    )  # fmt: skip


def operation(method: str, route: str, requests: int, duration_us: int) -> OperationStats:
    return OperationStats(
        method=method, route=route, endpoint=None, requests=requests, errors=0,
        duration_us=duration_us, p50_us=duration_us / requests, p95_us=None, p99_us=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("now", "before", "words", "verdict"),
    [
        (182.0, 100.0, "82 % slower", "worse"),
        (50.0, 100.0, "50 % faster", "better"),
        (400.0, 100.0, "4.00 times slower", "worse"),
        (101.0, 100.0, "as before", "neutral"),
        (101.0, None, "", "neutral"),
        (None, 100.0, "", "neutral"),
        (0, 100.0, "100 % faster", "better"),
    ],
)
def test_a_change_says_which_way_and_whether_that_is_good(
    now: float | None, before: float | None, words: str, verdict: str
) -> None:
    change = headline.relative(now, before, ("slower", "faster"), "slower")
    assert (change.words, change.verdict) == (words, verdict)
    assert bool(change.arrow) == (verdict != "neutral")


def test_a_few_requests_are_counted_and_many_are_a_rate() -> None:
    few = headline.figures(stats(22), stats(100), 900)[0]
    assert (few.value, few.unit, few.note) == ("22", "", "1.47 /min")
    many = headline.figures(stats(3_140), stats(100), 900)[0]
    assert (many.value, many.unit, many.note) == ("3.49", "/s", "3,140 in all")


@pytest.mark.parametrize(
    ("requests", "seconds", "value", "note"),
    [
        (1, 3, "1", "in the first 3 s"),  # too short for a rate
        (22, 44, "22", "0.500 /s in the first 44 s"),
        (3_140, 50, "62.8", "3,140 in the first 50 s"),
        (0, 50, "0", "in the first 50 s"),
    ],
)
def test_a_young_project_has_the_rate_since_its_first_request(
    requests: int, seconds: float, value: str, note: str
) -> None:
    figure = headline.figures(stats(requests), stats(0), seconds, young=True)[0]
    assert (figure.value, figure.note) == (value, note)


def test_more_requests_are_neither_good_nor_bad() -> None:
    figures = headline.figures(stats(300), stats(100), 60)
    assert figures[0].value == "5.00"
    assert (figures[0].change.words, figures[0].change.verdict) == ("3.00 times more", "neutral")


def test_a_first_period_says_once_that_nothing_was_before() -> None:
    figures = headline.figures(stats(300, p95_us=5000), stats(0), 60)
    assert [figure.change.words for figure in figures] == ["no earlier data", "", "", "", ""]


def test_errors_are_compared_in_points() -> None:
    assert headline.error_change(0.02, 0.005).words == "1.50 points more"
    assert headline.error_change(0.0, 0.02).verdict == "better"
    assert headline.error_change(0.0201, 0.02).words == "as before"


def test_a_period_without_requests_claims_nothing() -> None:
    figures = headline.figures(stats(0), stats(100, p95_us=5000), 60)
    assert [figure.value for figure in figures] == ["0", "–", "–", "–", "–"]
    assert {figure.change.verdict for figure in figures} == {"neutral"}


def test_the_ledger_explains_every_request() -> None:
    totals = LedgerTotals(
        seen=110, stored=90, waiting=5, lost=1, dropped={"ignored": 4, "new_reason": 10}
    )
    entries = ledger.entries(totals)
    assert sum(number for number, _, _ in entries) == totals.seen
    assert [meaning for _, word, meaning in entries if word == "dropped"] == [
        "new reason",
        "an ignore rule of the app matched",
    ]


def test_every_reason_has_words() -> None:
    assert set(ledger.REASONS) == {*DROP_REASONS, *get_args(PlatformReason)}


@pytest.mark.parametrize(
    ("processes", "words"),
    [
        (0, ""),
        (1, "1 process is silent without a goodbye: killed, or idle. What it saw after"),
        (
            1200,
            "1,200 processes are silent without a goodbye: killed, or idle. What they saw after",
        ),
    ],
)
def test_the_ledger_says_what_it_cannot_know(processes: int, words: str) -> None:
    said = ledger.silence(processes)
    assert said.startswith(words)
    assert bool(said) == bool(processes)


TABLE = [
    operation("GET", "/b", 10, 600),
    operation("GET", "/a", 30, 300),
    operation("PUT", "/a", 5, 100),
]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-share", ["/b", "/a", "/a"]),
        ("requests", ["/a", "/b", "/a"]),
        ("operation", ["/a", "/a", "/b"]),
        ("-p50", ["/b", "/a", "/a"]),
        ("p99", ["/a", "/a", "/b"]),
    ],
)
def test_every_column_sorts(sort: str, order: list[str]) -> None:
    assert [one.route for one in operations.sorted_stats(TABLE, sort)] == order


def test_shares_make_the_whole() -> None:
    rows = operations.rows(TABLE, 1000, 60, {})
    assert sum(row.share for row in rows) == pytest.approx(1)
    assert operations.rows([operation("GET", "/", 1, 0)], 0, 60, {})[0].share == 0


def test_a_second_click_turns_the_order_round() -> None:
    by_name = {column.name: column for column in operations.columns(State(sort="-p95"), "ms")}
    assert (by_name["p95"].sort, by_name["p95"].direction) == ("p95", "descending")
    assert (by_name["p99"].sort, by_name["p99"].direction) == ("-p99", None)
    assert by_name["operation"].sort == "operation"


def test_the_header_says_the_unit_of_the_rates() -> None:
    by_name = {column.name: column for column in operations.columns(State(), "ms", "/min")}
    assert {name: column.unit for name, column in by_name.items() if column.unit} == {
        "share": "%", "rate": "/min", "p50": "ms", "p95": "ms", "p99": "ms",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("route", "pieces"),
    [
        ("", []),
        ("/", [("/", False)]),
        ("/u/<int:id>/x", [("/u/", False), ("<int:id>", True), ("/x", False)]),
        ("<path:p>", [("<path:p>", True)]),
        ("/broken/<id", [("/broken/", False), ("<id", False)]),
    ],
)
def test_a_route_is_cut_at_its_parameters(route: str, pieces: list[tuple[str, bool]]) -> None:
    assert operations.pieces(route) == pieces
    assert "".join(text for text, _ in operations.pieces(route)) == route


def pulse(requests: int, errors: int = 0, lost: int = 0, last_seen_us: int | None = 1) -> Pulse:
    return Pulse(
        project_id=1, stats=stats(requests, errors), points=[], lost=lost, last_seen_us=last_seen_us
    )


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (pulse(0, last_seen_us=None), "waiting for its first request"),
        (pulse(0), "quiet"),
        (pulse(1000), "steady"),
        (pulse(1000, errors=10), "some errors"),
        (pulse(1000, errors=50), "failing"),
        (pulse(1000, errors=50, lost=1), "losing requests"),
    ],
)
def test_health_is_the_most_urgent_word(seen: Pulse, word: str) -> None:
    assert projects.health(seen).word == word


@pytest.mark.parametrize(
    ("now", "before", "word"),
    [
        ((100, 90_000.0), (1_000, 60_000.0), "slower than usual"),
        ((100, 89_000.0), (1_000, 60_000.0), "steady"),
        ((99, 90_000.0), (1_000, 60_000.0), "steady"),
        ((100, 90_000.0), (999, 60_000.0), "steady"),
    ],
)
def test_slower_than_usual_needs_a_difference_and_enough_requests(
    now: tuple[int, float], before: tuple[int, float], word: str
) -> None:
    seen = Pulse(project_id=1, stats=stats(now[0], 0, now[1]), points=[], lost=0, last_seen_us=1)
    found = projects.health(seen, stats(before[0], 0, before[1]))
    assert found.word == word
    if word != "steady":
        assert found.reason == "p95 90.0 ms, in the day before 60.0 ms."


def test_the_worst_operation_fails_or_takes_the_most_time() -> None:
    project = Project(1, "ab", "Shop", "Team", None)
    failing = msgspec.structs.replace(TABLE[2], errors=2)
    found = projects.worst(project, [*TABLE[:2], failing])
    assert found is not None
    assert (found.stats.method, found.why) == ("PUT", "2 of 5 failed")
    assert found.link == "/projects/ab/operations?method=PUT&route=%2Fa"
    busy = projects.worst(project, TABLE)
    assert busy is not None
    assert (busy.stats.route, busy.why) == ("/b", "60.0 % of the time")
    assert projects.worst(project, []) is None


def test_a_sparkline_stands_on_the_ground() -> None:
    assert spark([0, 2, 1], width=30, height=10) == "M0 10V10.0H10.0V1.0H20.0V5.5H30.0V10Z"
    assert spark([2, 2, 1], width=30, height=10) == "M0 10V1.0H20.0V5.5H30.0V10Z"
    assert spark([0, 0], 30, 10) == ""
    assert spark([], 30, 10) == ""


@pytest.mark.parametrize(
    ("search", "routes"),
    [
        (None, ["/b", "/a", "/a"]),
        ("put", ["/a"]),
        ("GET /a", ["/a"]),
        ("b ge", ["/b"]),
        ("/c", []),
    ],
)
def test_a_search_wants_every_word(search: str | None, routes: list[str]) -> None:
    assert [one.route for one in operations.fitting(TABLE, search)] == routes
