"""What to do about a path that no route serves: is it a scanner's, and which route was meant.

User agents are never stored, so bots are told apart by what they ask for (`probes.toml`).
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

#: The routes of a project with their methods.
Routes = Mapping[str, frozenset[str]]
#: So many routes are looked at, the most frequent, and paths up to this length: a comparison takes
#: longer with both.
MOST_ROUTES: Final = 500
LONGEST: Final = 200
#: From this likeness on (`difflib`, 0 to 1) a route may be meant.
ALIKE: Final = 0.7
PARAMETER: Final = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?[^<>]*>")
#: In one segment, and of those that hold slashes in all: with more of them a pattern, which whoever
#: has a DSN chooses, could take for ever.
MOST_PARAMETERS: Final = 2
NOTHING: Final = re.compile("(?!)")
CONVERTERS: Final = {"int": r"\d+", "float": r"\d+\.\d+", "path": ".+", "uuid": r"[0-9A-Fa-f-]{36}"}


@dataclass(frozen=True)
class Hint:
    """What to do about a path, and the route that it leads to."""

    words: str
    route: str | None = None


def routes_of(operations: Iterable[tuple[str, str, int]]) -> Routes:
    """The most frequent routes, from (method, route, requests); of what is declared only, 0."""
    ordered = sorted(operations, key=lambda one: -one[2])
    names = list(dict.fromkeys(route for _, route, _ in ordered if route.startswith("/")))
    methods: dict[str, set[str]] = {name: set() for name in names[:MOST_ROUTES]}
    for method, route, _ in ordered:
        if route in methods:
            methods[route].add(method)
    return {route: frozenset(found) for route, found in methods.items()}


def probe(path: str, routes: Routes) -> str | None:
    """What a scanner looks for there; None where the path is none of the known probes'."""
    foreign = _foreign(tuple(routes))
    return next((reason for one, reason in foreign if one.search(path[:LONGEST])), None)


def hint(path: str, status: int, routes: Routes) -> Hint | None:
    """What to do about requests for a path that were answered with a status."""
    if len(path) > LONGEST:
        return None
    serving = [route for route in routes if _rule(route).fullmatch(path)]
    if status == 405:
        methods = sorted({method for route in serving for method in routes[route]})
        words = f"Answers to {', '.join(methods)}" if methods else "Answers to other methods only"
        return Hint(words, serving[0] if serving else None)
    if status in (301, 308) and not path.endswith("/"):
        wanted = next((route for route in routes if _rule(route).fullmatch(f"{path}/")), None)
        return Hint(f"Links lack the slash at the end: {path}/", wanted)
    if path.endswith("/") and len(path) > 1:
        bare = path.rstrip("/")
        wanted = next((route for route in routes if _rule(route).fullmatch(bare)), None)
        if wanted is not None:
            return Hint(f"The slash at the end is too much: {bare}", wanted)
    found = nearest(path, tuple(routes))
    return Hint("Perhaps meant, redirect to it", found) if found else None


@lru_cache(maxsize=4096)
def nearest(path: str, routes: tuple[str, ...]) -> str | None:
    """The route that is most like a path; None where none is."""
    likeness = {route: _likeness(path, route) for route in routes}
    best = max(likeness, key=lambda route: likeness[route], default=None)
    return best if best is not None and likeness[best] >= ALIKE else None


def _likeness(path: str, route: str) -> float:
    """Parameters fit anything, where both have as many segments; else the texts are compared."""
    parts, rule = path.strip("/").split("/"), route.strip("/").split("/")
    if len(parts) == len(rule):
        fixed = [place for place, part in enumerate(rule) if "<" not in part]
        parts, rule = [parts[at] for at in fixed], [rule[at] for at in fixed]
    elif "<" in route:
        return 0.0
    if not any(rule):
        return 0.0
    matcher = SequenceMatcher(None, "/".join(parts), "/".join(rule), autojunk=False)
    if matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    return matcher.ratio()


@lru_cache(maxsize=4096)
def _rule(route: str) -> re.Pattern[str]:
    """What paths a route matches, as Werkzeug's own converters have it."""
    parameters = list(PARAMETER.finditer(route))
    if max(len(PARAMETER.findall(part)) for part in route.split("/")) > MOST_PARAMETERS or (
        sum(found[1] == "path" for found in parameters) > MOST_PARAMETERS
    ):
        return NOTHING
    pieces, at = [], 0
    for found in parameters:
        pieces += [re.escape(route[at : found.start()]), CONVERTERS.get(found[1] or "", "[^/]+")]
        at = found.end()
    return re.compile("".join([*pieces, re.escape(route[at:])]))


@lru_cache(maxsize=64)
def _foreign(routes: tuple[str, ...]) -> list[tuple[re.Pattern[str], str]]:
    """The probes that fit none of the app's own routes."""
    return [one for one in _probes() if not any(map(one[0].search, routes))]


@cache
def _probes() -> list[tuple[re.Pattern[str], str]]:
    text = Path(__file__).with_name("probes.toml").read_text(encoding="utf-8")
    return [
        (re.compile(one["pattern"], re.IGNORECASE), one["reason"])
        for one in tomllib.loads(text)["probe"]
    ]
