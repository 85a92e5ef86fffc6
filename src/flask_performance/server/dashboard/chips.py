"""The filters that are set, as chips: what each says, and what a click on it removes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .formats import spread
from .state import State

#: What an outcome is called on a page.
OUTCOMES: Final = {
    "completed": "completed",
    "disconnected": "client left",
    "failed": "failed mid-body",
}
#: Filters that are texts, and the word before each.
WORDS: Final = {
    "status": "status",
    "environment": "environment",
    "release": "release",
    "instance": "instance",
    "consumer": "consumer",
    "trace_id": "trace",
    "path": "path with",
    "whole_path": "path",
}


@dataclass(frozen=True)
class Chip:
    """One filter: a kind and a value, or a method and a route."""

    kind: str
    text: str
    #: The changes to the state that remove it.
    remove: Mapping[str, Any]
    method: str | None = None
    #: Written as code: an operation.
    code: bool = False


def chips(state: State, own: Collection[str] = ()) -> list[Chip]:
    """All chips of a state; the filters in `own` are the page's and cannot be removed."""
    found = [] if "route" in own else _operation(state)
    found += [
        Chip(word, getattr(state, name), {name: None})
        for name, word in WORDS.items()
        if getattr(state, name) is not None
    ]
    if state.outcome is not None:
        found.append(Chip("", OUTCOMES[state.outcome], {"outcome": None}))
    if state.errors:
        found.append(Chip("", "errors", {"errors": False}))
    return found + _durations(state)


def _operation(state: State) -> list[Chip]:
    if state.method is None and state.route is None:
        return []
    route = state.route
    text = route or ("" if route is None else "no route matched")
    return [Chip("", text, {"method": None, "route": None}, state.method, code=True)]


def _durations(state: State) -> list[Chip]:
    least, most = state.duration_from_us, state.duration_to_us
    if least is None and most is None:
        return []
    return [
        Chip(
            "duration",
            spread(least, most),
            {"duration_from_us": None, "duration_to_us": None},
        )
    ]
