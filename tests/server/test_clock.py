"""A clock that is wrong for a while deletes nothing for its age."""

import pytest

from flask_performance.server.clock import Clock

HOUR = 3600.0
YEAR = 365 * 24 * HOUR


class Times:
    """Two clocks: the one that can be set, and the one that cannot."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_764_000_000.0, 5_000.0
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def passes(self, seconds: float) -> bool:
        """Whether it is believed afterwards."""
        self.wall += seconds
        self.steady += seconds
        return self.clock.believed()


def test_a_clock_that_runs_is_believed() -> None:
    times = Times()
    assert all(times.passes(600) for _ in range(1000))
    for _ in range(1000):  # and one that is put right little by little
        times.wall += 1
        assert times.passes(600)


def test_a_clock_that_jumped_ahead_is_not_until_it_stayed_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times = Times()
    times.wall += YEAR
    for _ in range(24):
        assert not times.passes(HOUR)
    assert caplog.text.count("jumped ahead by 8760 hours") == 1
    assert times.passes(HOUR)
    assert times.passes(HOUR)


def test_a_clock_that_is_put_right_again_is_believed_at_once() -> None:
    times = Times()
    times.wall += YEAR
    assert not times.passes(HOUR)
    times.wall -= YEAR
    assert times.passes(HOUR)
    times.wall -= YEAR  # back is no danger …
    assert times.passes(HOUR)
    times.wall += YEAR  # … and forward is, from wherever
    assert not times.passes(HOUR)
