"""The time axis that all charts share: its steps, and which release was first heard in which."""

from collections.abc import Mapping
from typing import Any, Final

from ..formats import plural
from ..scope import Scope
from ..window import SECOND_US

#: So many releases are marked, the newest: more lines than that hide the data.
MOST_MARKS: Final = 20
#: Of a name in a legend; its title has all of it.
LONGEST: Final = 24


def axis(scope: Scope) -> Mapping[str, Any]:
    """What every chart gets: where its steps start, how long they are (seconds), what to mark."""
    return {
        "start": [start_us // SECOND_US for start_us in starts(scope)],
        "step": scope.window.step_us // SECOND_US,
        "releases": marks(scope),
    }


def starts(scope: Scope) -> range:
    grid = scope.window.grid
    return range(grid.start_us, grid.end_us, grid.step_us)


def marks(scope: Scope) -> Mapping[str, Any]:
    """Each release and when it was first heard (seconds), and words for how many there are."""
    found = scope.first_heard
    return {
        "words": words(len(found), found[0].name if found else ""),
        "marks": [
            {"at": one.first_us // 1_000 / 1_000, "name": one.name}
            for one in reversed(found[:MOST_MARKS])
        ],
    }


def words(releases: int, newest: str) -> str:
    if releases > MOST_MARKS:
        return f"the newest {MOST_MARKS} of {plural(releases, 'release')}"
    return f"release {short(newest)}" if releases == 1 else plural(releases, "release")


def short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def first_heard(scope: Scope) -> dict[int, str]:
    """By the start of a step: the releases that were first heard in it, for files."""
    found: dict[int, str] = {}
    for one in reversed(scope.first_heard):
        start_us = one.first_us - one.first_us % scope.window.step_us
        found[start_us] = f"{found[start_us]}, {one.name}" if start_us in found else one.name
    return found
