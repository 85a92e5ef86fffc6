"""The URL says what is shown; every link keeps what it does not change."""

from urllib.parse import parse_qsl

import pytest

from flask_performance.server.dashboard.state import State, StateError

NOON_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z


def read(query: str) -> State:
    return State.read(dict(parse_qsl(query, keep_blank_values=True)))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "range=7d",
        "start=2026-01-01T12%3A00%3A00Z&end=2026-01-01T12%3A05%3A00Z",
        "range=1h&start=2026-01-01T12%3A00%3A00.250Z&end=2026-01-01T12%3A05%3A00Z",
        "method=GET&route=%2Fusers%2F%3Cint%3Aid%3E&status=404",
        "method=GET&route=",
        "status=5xx&environment=production&sort=p99&all=1",
    ],
)
def test_a_url_says_the_same_after_a_round(query: str) -> None:
    assert read(query).query().removeprefix("?") == query


def test_a_link_changes_only_what_it_says() -> None:
    state = read("range=1h&status=5xx&environment=staging")
    assert state.query(status=None) == "?range=1h&environment=staging"
    assert state.query(route="", method="GET").endswith(
        "method=GET&route=&status=5xx&environment=staging"
    )


def test_unmatched_is_not_every_route() -> None:
    window = State().window(NOON_US)
    assert read("route=").filter(1, window).route == ""
    assert read("").filter(1, window).route is None


@pytest.mark.parametrize(
    "text", ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", "2026-01-01T12:00"]
)
def test_times_are_read_with_and_without_a_zone(text: str) -> None:
    state = State.read({"start": text, "end": "2026-01-02T00:00:00Z"})
    assert state.start_us == NOON_US
    assert not state.live


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"range": "9"}, "range '9'"),
        ({"start": "2026-01-01T12:00:00Z"}, "both"),
        ({"start": "2026-01-01T12:00:00Z", "end": "2026-01-01T12:00:00Z"}, "a second after"),
        ({"start": "yesterday", "end": "2026-01-01T12:00:00Z"}, "start 'yesterday'"),
        ({"start": "0001-01-01T00:00:00+14:00", "end": "2026-01-01T12:00:00Z"}, "not a time"),
        ({"start": "2001-01-01T00:00Z", "end": "2026-01-01T12:00:00Z"}, "longer than 5 years"),
        ({"status": "6xx"}, "status '6xx'"),
        ({"status": "٤٠٤"}, "status"),
        ({"status": "600"}, "status '600'"),
        ({"sort": "-size"}, "'-size'"),
        ({"route": "x" * 2001}, "longer than"),
    ],
)
def test_what_means_nothing_is_refused_by_name(args: dict[str, str], word: str) -> None:
    with pytest.raises(StateError, match=word):
        State.read(args)
