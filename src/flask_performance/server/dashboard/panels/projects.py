"""The list of projects: each at a glance, and its health in a word."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import Pulse

from ..formats import duration_unit, rate_unit
from ..scope import Project, ProjectsScope
from ..sparks import spark
from .base import Panel

#: From these error rates on a project is called failing, or said to have errors.
FAILING_FROM: Final = 0.05
ERRORS_FROM: Final = 0.01

SPARK_WIDTH: Final = 240
SPARK_HEIGHT: Final = 24


@dataclass(frozen=True)
class Health:
    """A state in a word, why, and the colour it carries."""

    word: str
    reason: str
    tone: str  # "good", "notice", "bad" or "quiet"


@dataclass(frozen=True)
class Row:
    project: Project
    pulse: Pulse
    rate: float
    error_rate: float | None
    health: Health
    spark: str  # an SVG path


def show(scope: ProjectsScope) -> Mapping[str, Any]:
    found = [_row(project, scope.pulses[project.id], scope.seconds) for project in scope.projects]
    return {
        "rows": found,
        "unit": duration_unit(row.pulse.stats.p95_us for row in found),
        "rates": rate_unit(row.rate for row in found),
        "width": SPARK_WIDTH,
        "height": SPARK_HEIGHT,
    }


def health(pulse: Pulse) -> Health:
    """The most urgent thing to say about a project."""
    stats = pulse.stats
    if pulse.last_seen_us is None:
        return Health("waiting", "No request has arrived yet.", "quiet")
    if pulse.lost:
        return Health("losing data", f"{pulse.lost:,} requests are lost.", "bad")
    if not stats.requests:
        return Health("quiet", "No request in the last 15 minutes.", "quiet")
    rate = stats.errors / stats.requests
    if rate >= FAILING_FROM:
        return Health("failing", f"{rate * 100:.0f} % of the requests fail.", "bad")
    if rate >= ERRORS_FROM:
        return Health("some errors", f"{rate * 100:.1f} % of the requests fail.", "notice")
    return Health("healthy", "Fewer than 1 % of the requests fail.", "good")


def _row(project: Project, pulse: Pulse, seconds: float) -> Row:
    stats = pulse.stats
    return Row(
        project=project,
        pulse=pulse,
        rate=stats.requests / seconds,
        error_rate=stats.errors / stats.requests if stats.requests else None,
        health=health(pulse),
        spark=spark(pulse.points, SPARK_WIDTH, SPARK_HEIGHT),
    )


PANEL: Final = Panel("projects", show)
