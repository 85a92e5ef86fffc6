"""Windows and their steps."""

import pytest

from flask_performance.server.dashboard.window import (
    RANGES,
    SECOND_US,
    Window,
    fixed_window,
    live_window,
    step_seconds,
)

NOW_US = 1_767_268_807_300_000


@pytest.mark.parametrize("name", RANGES)
def test_a_chart_has_enough_steps_and_not_too_many(name: str) -> None:
    window = live_window(name, NOW_US)
    assert window.end_us == NOW_US
    assert window.seconds == RANGES[name][1]
    assert 60 <= window.seconds * SECOND_US / window.step_us <= 150


def test_long_ranges_step_in_whole_minutes() -> None:
    assert all(step_seconds(RANGES[name][1]) % 60 == 0 for name in ("1h", "6h", "24h", "7d", "30d"))
    assert step_seconds(20 * 365 * 86_400) == 30 * 86_400


def test_the_period_before_ends_where_this_one_starts() -> None:
    window = fixed_window(1_000_000, 4_000_000)
    assert (window.before.start_us, window.before.end_us) == (-2_000_000, 1_000_000)


def test_charts_start_with_a_whole_step() -> None:
    grid = live_window("15m", NOW_US).grid
    assert grid.start_us % grid.step_us == 0
    assert grid.end_us == NOW_US


def test_a_step_has_a_rate_after_two_seconds() -> None:
    ten = 10 * SECOND_US
    live = Window(0, 102 * SECOND_US, ten, live=True)
    assert live.seconds_of_step(90 * SECOND_US) == 10
    # Half a second's requests are still under way to us.
    assert live.seconds_of_step(100 * SECOND_US) == 1.5
    assert live.seconds_of_step(100 * SECOND_US + 1) is None


def test_a_short_step_has_a_rate_once_its_requests_have_arrived() -> None:
    short = Window(0, 100 * SECOND_US + SECOND_US // 2, 2 * SECOND_US, live=True)
    assert short.seconds_of_step(98 * SECOND_US) is None
    assert short.seconds_of_step(96 * SECOND_US) == 2


def test_a_long_step_that_still_runs_has_the_rate_so_far() -> None:
    hour = 3_600 * SECOND_US
    window = Window(0, hour + 600 * SECOND_US, hour, live=True)
    assert window.seconds_of_step(hour) == 599.5


def test_a_fixed_window_ends_exactly() -> None:
    window = fixed_window(0, 300 * SECOND_US)
    assert window.seconds_of_step(298 * SECOND_US) == 2
