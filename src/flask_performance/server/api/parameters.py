"""Query parameters: a table of what exists, and how text becomes a value or a 400."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from flask_performance.server.store.base import MINUTE_US, SECOND_US, Filter

from . import times
from .errors import bad_parameter

DEFAULT_WINDOW_US = 15 * MINUTE_US
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
#: A series has at most this many steps; left alone, it has at most DEFAULT_STEPS.
MAX_STEPS = 10_000
DEFAULT_STEPS = 300
_NICE_STEPS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10800, 21600, 43200, 86400, 604800),
)
_LONGEST = 2000

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One query parameter. `parse` raises ValueError with what the text must be."""

    name: str
    description: str
    schema: Mapping[str, Any]
    parse: Callable[[str], Any]


def _time(text: str) -> int:
    try:
        return times.to_us(text)
    except ValueError as error:
        raise ValueError(
            "a time from 1970 on in RFC 3339, such as "
            "2026-05-15T08:00:00Z or 2026-05-15T10:00:00%2B02:00"
        ) from error


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def _status(text: str) -> str:
    if not re.fullmatch(r"[1-5]([0-9][0-9]|[xX][xX])", text, re.ASCII):
        raise ValueError("a status such as 404 or a class such as 5xx")
    return text.lower()


def _text(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError(f"at most {_LONGEST} characters long")
    return text


_TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
_TEXT: Mapping[str, Any] = {"type": "string", "maxLength": _LONGEST}

WINDOW = (
    Parameter("start", "From this time on. Default: 15 minutes before `end`.", _TIME, _time),
    Parameter("end", "Before this time. Default: now.", _TIME, _time),
)
FILTERS = (
    Parameter("method", "GET, POST, …", _TEXT, lambda text: _text(text).upper()),
    Parameter("route", "The rule that matched; empty: requests that matched none.", _TEXT, _text),
    Parameter(
        "status",
        "A status, or a class of them: 404, 5xx.",
        {"type": "string", "pattern": "^[1-5]([0-9][0-9]|[xX][xX])$"},
        _status,
    ),
    Parameter("environment", "production, staging, …", _TEXT, _text),
)
STEP = (
    Parameter(
        "step",
        f"Seconds a step. Default: one that gives at most {DEFAULT_STEPS} steps.",
        {"type": "integer", "minimum": 1, "maximum": 10**9},
        _integer(1, 10**9),
    ),
)
PAGE = (
    Parameter(
        "limit",
        "The most items of one answer.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        _integer(1, MAX_LIMIT),
    ),
    Parameter("cursor", "The `next` of the answer before, to continue it.", _TEXT, _text),
)


def read(known: Sequence[Parameter], given: MultiDict[str, str]) -> Values:
    """The given parameters, parsed. A wrong, repeated or unknown one is a 400 that names it."""
    parsers = {parameter.name: parameter.parse for parameter in known}
    values = {}
    for name, texts in given.lists():
        if name not in parsers:
            names = ", ".join(parsers) or "none"
            raise bad_parameter(name, f"is not a parameter here; the parameters are: {names}.")
        if len(texts) > 1:
            raise bad_parameter(name, "is given more than once; give it once.")
        try:
            values[name] = parsers[name](texts[0])
        except ValueError as error:
            raise bad_parameter(name, f"must be {error}.") from error
    return values


def filter_of(project_id: int, values: Values) -> Filter:
    """The window and the conditions. The window must not be empty."""
    end = values.get("end", time.time_ns() // 1000)
    start = values.get("start", end - DEFAULT_WINDOW_US)
    if start >= end:
        wrong = "start" if "start" in values else "end"
        raise bad_parameter(
            wrong,
            f"makes an empty window: it goes from {times.from_us(start)} to {times.from_us(end)}, "
            "but start must be before end.",
        )
    conditions: dict[str, Any] = {p.name: values.get(p.name) for p in FILTERS}
    return Filter(project_id=project_id, start_us=start, end_us=end, **conditions)


def step_of(filter: Filter, values: Values) -> int:
    """Seconds a step; a 400 where the window would have too many."""
    step: int | None = values.get("step")
    if step is None:
        fine = (nice for nice in _NICE_STEPS if filter.seconds / nice <= DEFAULT_STEPS)
        step = next(fine, -(-int(filter.seconds) // DEFAULT_STEPS))
    steps = filter.end_us // (step * SECOND_US) - filter.start_us // (step * SECOND_US) + 1
    if steps > MAX_STEPS:
        raise bad_parameter(
            "step",
            f"is too short for this window: {steps} steps, but at most {MAX_STEPS} are possible.",
        )
    return step
