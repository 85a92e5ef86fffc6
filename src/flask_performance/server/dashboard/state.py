"""What a person looks at, as the URL says it: range, filters, sort.

A link shows a colleague the same. The state is read once from the query string, checked, and is the
only thing that builds links, so that every link on a page keeps all the rest of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Self
from urllib.parse import urlencode

from flask_performance.server.store.base import Filter
from flask_performance.server.store.declared import CALLED, Called
from flask_performance.wire import OUTCOMES, Outcome

from .window import DEFAULT_RANGE, RANGES, SECOND_US, Window, fixed_window, live_window

#: Columns that the tables of operations, of instances and of routes can be sorted by; a table takes
#: what is none of its own for its own order.
SORTS: Final = (
    *("share", "operation", "requests", "rate", "p50", "p95", "p99", "errors", "apdex"),
    *("process", "state", "busy", "cpu", "memory", "queue", "seen", "route", "endpoint", "called"),
)
DEFAULT_SORT: Final = "-share"
STATUS_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
#: The filters, by their names here and in the store's `Filter`; no filter is None or False.
FILTERS: Final = (
    "method", "route", "status", "environment", "release", "outcome", "errors",
    "duration_from_us", "duration_to_us", "instance", "consumer", "trace_id", "path",
    "whole_path",
)  # fmt: skip
NO_FILTER: Final[Mapping[str, bool | None]] = {
    name: False if name == "errors" else None for name in FILTERS
}
#: Any change to the state begins its lists again.
FROM_THE_START: Final[dict[str, Any]] = {"before": None, "page": 1}
#: What is said of the table of one page, and nothing of another's.
NO_TABLE: Final[dict[str, Any]] = {
    "sort": DEFAULT_SORT, "search": None, "all": False, "called": None,
}  # fmt: skip
#: A duration in milliseconds, to the microsecond; below 300,000 years.
MILLISECONDS: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,3}))?", re.ASCII)
#: A longer value is no method, route or environment of anybody's.
LONGEST_VALUE: Final = 2_000
#: Times lie between 1970 and this, the year 9999: what every calendar can say.
LATEST_US: Final = 253_370_764_800 * SECOND_US
YEAR_US: Final = 366 * 86_400 * SECOND_US
#: Longer than anything is kept; a chart of it would have too many steps.
LONGEST_US: Final = 5 * YEAR_US


class StateError(ValueError):
    """A query string that means nothing. The message says which part, and what it should be."""


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a project page."""

    range: str = DEFAULT_RANGE
    #: Both or none: a fixed window instead of the live range.
    start_us: int | None = None
    end_us: int | None = None
    method: str | None = None
    #: None: every route; the empty string: requests that matched none.
    route: str | None = None
    status: str | None = None
    environment: str | None = None
    release: str | None = None
    outcome: Outcome | None = None
    #: Only errors, whatever their status.
    errors: bool = False
    #: A half-open range of durations; the URL says it in milliseconds.
    duration_from_us: int | None = None
    duration_to_us: int | None = None
    #: An instance's wire id.
    instance: str | None = None
    consumer: str | None = None
    trace_id: str | None = None
    #: A part of the path, and all of it.
    path: str | None = None
    whole_path: str | None = None
    #: Two releases to compare; None: the newest and the one before it.
    newer: str | None = None
    older: str | None = None
    sort: str = DEFAULT_SORT
    #: Words that the rows of the page's table must have.
    search: str | None = None
    #: Only routes that are called so.
    called: Called | None = None
    #: Every operation is listed, not only the first ones.
    all: bool = False
    #: Of all operations; any other change leads to the first.
    page: int = 1
    #: The store's cursor: requests older than those of the page before. Any other change drops it.
    before: str | None = None

    @classmethod
    def read(cls, args: Mapping[str, str]) -> Self:
        """From a query string's arguments. Raises StateError; unknown arguments are ignored."""
        return cls(
            **_window(args),
            method=_text(args, "method") or None,
            route=_text(args, "route"),
            status=_status(args.get("status") or None),
            environment=_text(args, "environment") or None,
            release=_text(args, "release") or None,
            outcome=_outcome(args.get("outcome") or None),
            errors=args.get("errors") == "1",
            **_durations(args),
            instance=_text(args, "instance") or None,
            consumer=_text(args, "consumer") or None,
            trace_id=_text(args, "trace") or None,
            path=_text(args, "path") or None,
            whole_path=_text(args, "whole_path") or None,
            newer=_text(args, "newer") or None,
            older=_text(args, "older") or None,
            sort=_sort(args.get("sort") or DEFAULT_SORT),
            search=(_text(args, "q") or "").strip() or None,
            called=_called(args.get("called") or None),
            all=args.get("all") == "1",
            page=_page(args.get("page") or "1"),
            before=_text(args, "before") or None,
        )

    @property
    def live(self) -> bool:
        """Whether the window ends at the present."""
        return self.start_us is None

    @property
    def filtered(self) -> bool:
        """Whether less than the whole project is shown."""
        return any(getattr(self, name) not in (None, False) for name in FILTERS)

    def window(self, at_us: int) -> Window:
        """The window meant at a moment."""
        if self.start_us is None or self.end_us is None:
            return live_window(self.range, at_us)
        return fixed_window(self.start_us, self.end_us)

    def filter(self, project_id: int, window: Window) -> Filter:
        """The question to the store."""
        return Filter(
            project_id=project_id,
            start_us=window.start_us,
            end_us=window.end_us,
            **{name: getattr(self, name) for name in FILTERS},
        )

    def query(self, **changes: Any) -> str:
        """The query string ("?range=1h&status=5xx", or nothing) of this state with changes."""
        state = replace(self, **(FROM_THE_START | changes))
        return "?" + text if (text := urlencode(state.arguments())) else "?"

    def arguments(self) -> dict[str, str]:
        """The query string's arguments in a fixed order, defaults left out."""
        named = {
            "range": self.range if self.range != DEFAULT_RANGE else None,
            "start": _rfc3339(self.start_us),
            "end": _rfc3339(self.end_us),
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "environment": self.environment,
            "release": self.release,
            "outcome": self.outcome,
            "errors": "1" if self.errors else None,
            "duration_from": _milliseconds(self.duration_from_us),
            "duration_to": _milliseconds(self.duration_to_us),
            "instance": self.instance,
            "consumer": self.consumer,
            "trace": self.trace_id,
            "path": self.path,
            "whole_path": self.whole_path,
            "newer": self.newer,
            "older": self.older,
            "sort": self.sort if self.sort != DEFAULT_SORT else None,
            "q": self.search,
            "called": self.called,
            "all": "1" if self.all else None,
            "page": str(self.page) if self.page > 1 else None,
            "before": self.before,
        }
        return {name: value for name, value in named.items() if value is not None}


def _window(args: Mapping[str, str]) -> dict[str, Any]:
    name = args.get("range") or DEFAULT_RANGE
    if name not in RANGES:
        raise StateError(f"The range {name!r} is unknown. It is one of {', '.join(RANGES)}.")
    start, end = _instant(args, "start"), _instant(args, "end")
    if (start is None) != (end is None):
        raise StateError("A fixed range needs both a start and an end.")
    if start is not None and end is not None and end - start < SECOND_US:
        raise StateError("The end must be at least a second after the start.")
    if start is not None and end is not None and end - start > LONGEST_US:
        raise StateError(f"The range is longer than {LONGEST_US // YEAR_US} years. Choose less.")
    return {"range": name, "start_us": start, "end_us": end}


def _instant(args: Mapping[str, str], name: str) -> int | None:
    text = args.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        # A form without JavaScript sends no zone; its label says UTC.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        instant_us = round(aware.timestamp() * SECOND_US)
    except (ValueError, OverflowError):
        instant_us = -1
    if not 0 <= instant_us < LATEST_US:
        raise StateError(f"The {name} {text!r} is not a time. Write it like 2026-01-31T18:00:00Z.")
    return instant_us


def _text(args: Mapping[str, str], name: str) -> str | None:
    text = args.get(name)
    if text is not None and len(text) > LONGEST_VALUE:
        raise StateError(f"The {name} is longer than {LONGEST_VALUE} characters.")
    return text


def _status(text: str | None) -> str | None:
    exact = text is not None and len(text) == 3 and text.isascii() and text.isdigit()
    if text is None or text in STATUS_CLASSES or (exact and 100 <= int(text) <= 599):
        return text
    raise StateError(f"The status {text!r} is none. Write one like 404, or a class like 5xx.")


def _outcome(text: str | None) -> Outcome | None:
    for outcome in OUTCOMES:
        if outcome == text:
            return outcome
    if text is None:
        return None
    raise StateError(f"The outcome {text!r} is none. It is one of {', '.join(OUTCOMES)}.")


def _called(text: str | None) -> Called | None:
    for called in CALLED:
        if called == text:
            return called
    if text is None:
        return None
    raise StateError(f"Routes are not called {text!r}. They are one of {', '.join(CALLED)}.")


def _durations(args: Mapping[str, str]) -> dict[str, Any]:
    least, most = (_microseconds(args, name) for name in ("duration_from", "duration_to"))
    if least is not None and most is not None and most <= least:
        raise StateError("The longest duration must be above the shortest.")
    return {"duration_from_us": least, "duration_to_us": most}


def _microseconds(args: Mapping[str, str], name: str) -> int | None:
    text = args.get(name)
    if not text:
        return None
    if not (found := MILLISECONDS.fullmatch(text.strip())):
        raise StateError(f"The duration {text!r} is none. Write milliseconds like 250 or 1.5.")
    return int(found[1]) * 1000 + int((found[2] or "0").ljust(3, "0"))


def _milliseconds(us: int | None) -> str | None:
    """Exact, and as short as can be."""
    if us is None:
        return None
    return f"{us // 1000}.{us % 1000:03}".rstrip("0").rstrip(".")


def _page(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 6 and int(text):
        return int(text)
    raise StateError(f"The page {text!r} is none. It is a number from 1.")


def _sort(text: str) -> str:
    if text.removeprefix("-") not in SORTS:
        raise StateError(f"The table cannot be sorted by {text!r}. Use one of {', '.join(SORTS)}.")
    return text


def _rfc3339(us: int | None) -> str | None:
    if us is None:
        return None
    moment = datetime.fromtimestamp(us / SECOND_US, UTC)
    return moment.isoformat(timespec="milliseconds" if us % SECOND_US else "seconds").replace(
        "+00:00", "Z"
    )
