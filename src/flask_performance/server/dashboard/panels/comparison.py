"""Is it real? This period against the one before, and one release against another, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import Stats
from flask_performance.server.store.verdict import EACH, FEWEST, LEAST_SHARE, Sample, Verdict, judge

from ..downloads import Table, milliseconds
from ..formats import count, duration_unit, percent
from ..scope import Scope
from .base import Panel

#: Releases that can be chosen, the newest ones.
MOST_RELEASES: Final = 30
#: A probability below this reads as "less than once in ...".
RARELY: Final = 0.0001
MINUS: Final = "\N{MINUS SIGN}"
WORDS: Final = {
    "slower": "Slower", "faster": "Faster", "mixed": "Faster and slower",
    "same": "No real difference", "few": "Too few requests to say",
}  # fmt: skip
SENSES: Final = {"slower": "worse", "faster": "better", "mixed": "worse"}


@dataclass(frozen=True)
class Said:
    """A verdict in words: a word, what changed, how sure that is."""

    word: str
    sense: str  # "better", "worse" or "neutral", as in the headline
    figures: str
    why: str


@dataclass(frozen=True)
class Comparison:
    """Two sets of requests with their names, and what is said of each other."""

    name: str
    now: Sample
    before: Sample
    times: Said
    errors: Said | None


def show(scope: Scope) -> Mapping[str, Any]:
    newer, older = releases(scope)
    found = [periods(scope)]
    if newer and older:
        found.append(
            compared(f"{newer} against {older}", scope.sample_of(newer), scope.sample_of(older))
        )
    return {"scope": scope, "comparisons": found}


def choice(scope: Scope) -> Mapping[str, Any]:
    """The form that chooses two releases. It is outside of the panel, which changes while live."""
    newer, older = releases(scope)
    return {
        "newer": newer,
        "older": older,
        "releases": scope.releases[:MOST_RELEASES],
        "kept": {
            name: value
            for name, value in scope.state.arguments().items()
            if name not in ("newer", "older", "before")
        },
    }


def periods(scope: Scope) -> Comparison:
    """This period against the one before."""
    return compared(
        "This period against the one before",
        Sample(scope.summary, scope.distribution),
        Sample(scope.before, scope.distribution_before),
    )


def releases(scope: Scope) -> tuple[str | None, str | None]:
    """The two that are compared: those of the URL, else the newest and the one before it."""
    known = scope.releases
    newer = scope.state.newer or next((one for one in known if one != scope.state.older), None)
    after = known[known.index(newer) + 1 :] if newer in known else known
    older = scope.state.older or next((one for one in after if one != newer), None)
    return newer, older


def compared(name: str, now: Sample, before: Sample) -> Comparison:
    verdict = judge(now, before)
    return Comparison(
        name, now, before, times(verdict, now.stats, before.stats),
        errors(verdict, now.stats, before.stats),
    )  # fmt: skip


def times(verdict: Verdict, now: Stats, before: Stats) -> Said:
    """What is said of the response times."""
    word = WORDS[verdict.kind]
    if verdict.kind == "few":
        return _too_few(now.requests, before.requests)
    figures = ", ".join(
        _change(name, getattr(now, f"{name}_us"), getattr(before, f"{name}_us"))
        for name in ("p50", "p95")
    )
    if verdict.kind == "same":
        return _unproven(verdict.chance, figures)
    of_hundred = (
        f"the newer of two requests is the slower one in {verdict.slower * 100:.0f} of 100 pairs"
    )
    where = "" if verdict.whole else "; only the slow ones differ"
    why = f"Not chance (p {_probability(verdict.chance)}): {of_hundred}{where}"
    return Said(word, SENSES[verdict.kind], figures, why)


def errors(verdict: Verdict, now: Stats, before: Stats) -> Said | None:
    """What is said of the error rates; nothing where there are none."""
    if verdict.kind == "few" or not now.errors + before.errors:
        return None
    rates = now.errors / now.requests, before.errors / before.requests
    figures = f"{percent(rates[1])} → {percent(rates[0])} % of requests"
    p = _probability(verdict.errors_chance)
    if not verdict.errors:
        return Said("Errors: no real difference", "neutral", figures, f"p {p}")
    more = rates[0] > rates[1]
    word = "More errors" if more else "Fewer errors"
    return Said(word, "worse" if more else "better", figures, f"Not chance (p {p})")


def _unproven(chance: float, figures: str) -> Said:
    """Too small to matter is one thing; what chance explains as well may still be a change."""
    p = _probability(chance)
    if chance < EACH:
        why = f"What is not chance (p {p}) is less than {percent(LEAST_SHARE)} %"
        return Said(WORDS["same"], "neutral", figures, why)
    return Said(
        "No proven difference", "neutral", figures,
        f"Chance does as much (p {p}; it is called real below {EACH:.2g})",
    )  # fmt: skip


def _too_few(now: int, before: int) -> Said:
    if not before:
        return Said("Nothing to compare with", "neutral", "the older side has no request", "")
    why = f"Each side needs {FEWEST}"
    return Said(WORDS["few"], "neutral", f"{count(now)} and {count(before)}", why)


def _change(name: str, now: float | None, before: float | None) -> str:
    """ "p50 182 → 240 ms (+32 %)"."""
    unit = duration_unit([now])
    share = (now or 0) / before - 1 if before else 0.0
    sign = "+" if share > 0 else MINUS if share < 0 else "±"
    size = percent(abs(share)) if abs(share) < 0.1 else f"{abs(share) * 100:,.0f}"
    return f"{name} {unit.show(before)} → {unit.show(now)} {unit.symbol} ({sign}{size} %)"


def _probability(chance: float) -> str:
    return "< 0.0001" if chance < RARELY else f"= {chance:.2g}"


def table(scope: Scope) -> Table:
    """The numbers behind both verdicts."""
    return Table(
        (
            "comparison", "verdict", "requests", "requests_before", "p50_ms", "p50_before_ms",
            "p95_ms", "p95_before_ms", "errors", "errors_before",
        ),
        [
            (
                one.name, one.times.word, one.now.stats.requests, one.before.stats.requests,
                *(
                    milliseconds(getattr(sample.stats, name))
                    for name in ("p50_us", "p95_us")
                    for sample in (one.now, one.before)
                ),
                one.now.stats.errors, one.before.stats.errors,
            )
            for one in show(scope)["comparisons"]
        ],
    )  # fmt: skip


PANEL: Final = Panel("comparison", show, table=table)
