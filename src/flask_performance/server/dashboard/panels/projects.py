"""The list of projects: each at a glance, its state in a word of docs/projects.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import OperationStats, Pulse, Stats

from ..downloads import Table, milliseconds
from ..formats import duration_unit, percent, plural, rate_unit
from ..scope import OPERATION_PAGE, Project, ProjectsScope
from ..sparks import spark
from ..state import State
from .base import Panel
from .operations import pieces

#: From these error rates on a project is called failing, or said to have errors.
FAILING_FROM: Final = 0.05
ERRORS_FROM: Final = 0.01
#: Slower than usual: the p95 is so many times that of the day before, and neither is chance.
SLOWER_FROM: Final = 1.5
ENOUGH_NOW: Final = 100
ENOUGH_BEFORE: Final = 1_000

SPARK_WIDTH: Final = 180
SPARK_HEIGHT: Final = 24


@dataclass(frozen=True)
class Health:
    """A state in a word, the numbers behind it, and the colour it carries."""

    word: str
    reason: str
    tone: str  # "good", "notice", "bad" or "quiet"


@dataclass(frozen=True)
class Worst:
    """The operation that one looks at first, and why."""

    stats: OperationStats
    why: str
    link: str

    @property
    def route(self) -> list[tuple[str, bool]]:
        return pieces(self.stats.route)


@dataclass(frozen=True)
class Row:
    project: Project
    pulse: Pulse
    rate: float
    error_rate: float | None
    health: Health
    worst: Worst | None
    spark: str  # an SVG path


def show(scope: ProjectsScope) -> Mapping[str, Any]:
    found = rows(scope)
    return {
        "rows": found,
        "unit": duration_unit(row.pulse.stats.p95_us for row in found),
        "rates": rate_unit(row.rate for row in found),
        "width": SPARK_WIDTH,
        "height": SPARK_HEIGHT,
    }


def table(scope: ProjectsScope) -> Table:
    return Table(
        (
            *("project", "team", "state", "reason", "requests", "per_second", "p95_ms"),
            *("error_rate", "lost", "worst_method", "worst_route"),
        ),
        (
            (
                *(row.project.name, row.project.team, row.health.word, row.health.reason),
                *(row.pulse.stats.requests, row.rate, milliseconds(row.pulse.stats.p95_us)),
                *(row.error_rate, row.pulse.lost),
                *((row.worst.stats.method, row.worst.stats.route) if row.worst else (None, None)),
            )
            for row in rows(scope)
        ),
    )


def health(pulse: Pulse, usual: Stats | None = None) -> Health:
    """The most urgent thing to say about a project, of the last 15 minutes."""
    stats = pulse.stats
    if pulse.last_seen_us is None:
        return Health("waiting for its first request", "Nothing has arrived yet.", "quiet")
    if pulse.lost:
        return Health("losing requests", f"{plural(pulse.lost, 'request')} lost.", "bad")
    if not stats.requests:
        return Health("quiet", "No request in the last 15 minutes.", "quiet")
    rate = stats.errors / stats.requests
    fail = f"{stats.errors:,} of {plural(stats.requests, 'request')} failed: {percent(rate)} %"
    if rate >= FAILING_FROM:
        return Health("failing", f"{fail}; failing from {percent(FAILING_FROM)} %.", "bad")
    if rate >= ERRORS_FROM:
        return Health("some errors", f"{fail}; some from {percent(ERRORS_FROM)} %.", "notice")
    slow = slower(stats, usual)
    if slow is not None:
        return Health("slower than usual", slow, "notice")
    return Health("steady", f"{fail}, and it is not slower than usual.", "good")


def slower(stats: Stats, usual: Stats | None) -> str | None:
    """The numbers that say so; None where it is not slower, or too few requests can tell."""
    if usual is None or stats.requests < ENOUGH_NOW or usual.requests < ENOUGH_BEFORE:
        return None
    if not stats.p95_us or not usual.p95_us or stats.p95_us < SLOWER_FROM * usual.p95_us:
        return None
    unit = duration_unit([usual.p95_us])
    now, before = unit.show(stats.p95_us), unit.show(usual.p95_us)
    return f"p95 {now} {unit.symbol}, in the day before {before} {unit.symbol}."


def worst(project: Project, operations: list[OperationStats]) -> Worst | None:
    """The one with the most errors where they are some; else the one with the most time."""
    total_us = sum(one.duration_us for one in operations)
    failing = [one for one in operations if one.errors >= ERRORS_FROM * one.requests and one.errors]
    if failing:
        one = max(failing, key=lambda one: one.errors)
        why = f"{one.errors:,} of {one.requests:,} failed"
    elif total_us:
        one = max(operations, key=lambda one: one.duration_us)
        why = f"{percent(one.duration_us / total_us)} % of the time"
    else:
        return None
    query = State(method=one.method, route=one.route).query()
    return Worst(one, why, f"{project.path}{OPERATION_PAGE}{query}")


def rows(scope: ProjectsScope) -> list[Row]:
    return [_row(project, scope) for project in scope.projects]


def _row(project: Project, scope: ProjectsScope) -> Row:
    pulse = scope.pulses[project.id]
    stats = pulse.stats
    usual = scope.usual.get(project.id)
    return Row(
        project=project,
        pulse=pulse,
        rate=stats.requests / scope.seconds,
        error_rate=stats.errors / stats.requests if stats.requests else None,
        health=health(pulse, usual.stats if usual else None),
        worst=worst(project, scope.operations[project.id]),
        spark=spark(pulse.points, SPARK_WIDTH, SPARK_HEIGHT),
    )


PANEL: Final = Panel("projects", show, table=table)
