"""The headline: how much, how fast, how many errors, each against the period before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import Stats, StoreUnavailableError, Thresholds

from ..downloads import Table, milliseconds
from ..formats import (
    apdex,
    count,
    duration_unit,
    percent,
    plural,
    rate_unit,
    significant,
    span,
    threshold,
)
from ..scope import RATED_AFTER, Scope
from . import comparison
from .base import Panel

#: A difference smaller than this share is "the same": it says nothing a person could act on.
SAME: Final = 0.02
#: The error rate is compared in points of a per cent: from 0 there is no ratio.
SAME_POINTS: Final = 0.0005
#: Up to so many requests the count says more than a rate.
FEW: Final = 100
#: Above this ratio a factor reads better than a per cent.
FACTOR_FROM: Final = 3.0


@dataclass(frozen=True)
class Change:
    """A figure against the period before: an arrow, words, and whether that is good."""

    arrow: str
    words: str
    verdict: str  # "better", "worse" or "neutral"


#: There is nothing to compare, or nothing to say about it.
NO_CHANGE: Final = Change("", "", "neutral")
AS_BEFORE: Final = Change("", "as before", "neutral")


@dataclass(frozen=True)
class Figure:
    """One number of the headline."""

    label: str
    value: str
    unit: str
    note: str
    change: Change
    #: What the number means, for who asks.
    title: str = ""


def show(scope: Scope) -> Mapping[str, Any]:
    young = scope.young_us is not None
    found = figures(scope.summary, scope.before, scope.watched_seconds, young=young)
    if scope.thresholds is not None:
        found.append(apdex_figure(scope.summary, scope.before, scope.thresholds))
    return {"figures": found, "verdict": verdict(scope), "scope": scope}


def verdict(scope: Scope) -> comparison.Comparison | None:
    """The overview's line. None where it is too much for the store: the figures stand without."""
    if scope.page:
        return None
    try:
        return comparison.periods(scope)
    except StoreUnavailableError:
        return None


def apdex_figure(now: Stats, before: Stats, thresholds: Thresholds) -> Figure:
    """The share of people who did not have to wait, as apdex.org counts it."""
    us = thresholds.us
    title = (
        f"Satisfied up to {threshold(us)} ms, tolerated up to {threshold(4 * us)} ms; "
        "an error is neither"
    )
    own = len(thresholds.own)
    if own:
        title += f". {plural(own, 'operation has its', 'operations have their')} own threshold"
    note = f"{threshold(us)} ms satisfies" if now.requests else ""
    return Figure("Apdex", apdex(now.apdex), "", note, apdex_change(now.apdex, before.apdex), title)


def apdex_change(now: float | None, before: float | None) -> Change:
    """The Apdex against before, in points of its two digits."""
    if now is None or before is None:
        return NO_CHANGE
    points = round(now - before, 2)
    if not points:
        return AS_BEFORE
    higher = points > 0
    words = f"{abs(points):.2f} {'higher' if higher else 'lower'}"
    return Change("↑" if higher else "↓", words, "better" if higher else "worse")


def figures(now: Stats, before: Stats, seconds: float, *, young: bool = False) -> list[Figure]:
    """The figures of a period of so many seconds and of the one before it.

    `young`: the project's first data came in it, and the seconds are those since then.
    """
    return [
        _requests(now, before, seconds, young),
        *(_quantile(name, now, before) for name in ("p50", "p95", "p99")),
        Figure(
            "Error rate",
            percent(_error_rate(now)),
            "%",
            f"{count(now.errors)} failed" if now.requests else "",
            error_change(_error_rate(now), _error_rate(before)),
        ),
    ]


def requests_change(now: int, before: int) -> Change:
    """More requests are neither good nor bad. Speaks for all figures where nothing was before."""
    if not before:
        return Change("", "no earlier data" if now else "", "neutral")
    return relative(now, before, ("more", "fewer"), None)


def relative(
    now: float | None, before: float | None, words: tuple[str, str], worse: str | None
) -> Change:
    """More or less than before, in per cent or as a factor; `worse` names the bad direction."""
    if now is None or not before:
        return NO_CHANGE
    ratio = now / before
    if abs(ratio - 1) < SAME:
        return AS_BEFORE
    word = words[0] if ratio > 1 else words[1]
    verdict = "neutral" if worse is None else ("worse" if word == worse else "better")
    return Change("↑" if ratio > 1 else "↓", f"{_size(ratio)} {word}", verdict)


def error_change(now: float | None, before: float | None) -> Change:
    """The error rate against before, in points."""
    if now is None or before is None:
        return NO_CHANGE
    points = now - before
    if abs(points) < SAME_POINTS:
        return AS_BEFORE
    words = f"{significant(abs(points) * 100)} points {'more' if points > 0 else 'fewer'}"
    return Change("↑" if points > 0 else "↓", words, "worse" if points > 0 else "better")


def _requests(now: Stats, before: Stats, seconds: float, young: bool) -> Figure:
    """How many: the count while they are few, then the rate; the small print has the other one."""
    unit = rate_unit([now.requests / seconds])
    rate = unit.show(now.requests / seconds)
    since = f"in the first {span(seconds)}" if young else ""
    change = requests_change(now.requests, before.requests)
    if now.requests < FEW:
        told = f"{rate} {unit.symbol}" if now.requests and seconds >= RATED_AFTER else ""
        note = " ".join(part for part in (told, since) if part)
        return Figure("Requests", count(now.requests), "", note, change)
    return Figure(
        "Requests", rate, unit.symbol, f"{count(now.requests)} {since or 'in all'}", change
    )


def _quantile(name: str, now: Stats, before: Stats) -> Figure:
    value: float | None = getattr(now, f"{name}_us")
    unit = duration_unit([value])
    change = relative(value, getattr(before, f"{name}_us"), ("slower", "faster"), "slower")
    label = f"Response {name}" if name == "p50" else name
    return Figure(label, unit.show(value), unit.symbol, "", change)


def _size(ratio: float) -> str:
    if ratio >= FACTOR_FROM:
        return f"{significant(ratio)} times"
    return f"{abs(ratio - 1) * 100:.0f} %"


def _error_rate(stats: Stats) -> float | None:
    return stats.errors / stats.requests if stats.requests else None


def table(scope: Scope) -> Table:
    """The numbers of the period and of the one before it."""
    periods = (scope.summary, scope.before)
    rates = (
        periods[0].requests / scope.watched_seconds,
        periods[1].requests / scope.window.seconds,
    )
    return Table(
        ("measure", "now", "before"),
        [
            ("requests", *(one.requests for one in periods)),
            ("per_second", *rates),
            *(
                (f"{name}_ms", *(milliseconds(getattr(one, f"{name}_us")) for one in periods))
                for name in ("p50", "p95", "p99")
            ),
            ("errors", *(one.errors for one in periods)),
            ("error_rate", *(_error_rate(one) for one in periods)),
            ("apdex", *(one.apdex for one in periods)),
        ],
    )


PANEL: Final = Panel("headline", show, table=table)
