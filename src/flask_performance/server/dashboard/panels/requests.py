"""The latest requests, newest first."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask_performance.server.store.base import RequestRow
from flask_performance.wire import Outcome

from ..chips import OUTCOMES
from ..formats import byte_unit, duration_unit
from ..scope import Scope
from .base import Panel
from .operations import pieces

#: First bytes are shown where at least this share of the rows has one.
ENOUGH: Final = 0.25


def show(scope: Scope) -> Mapping[str, Any]:
    found = scope.latest.rows
    return {"requests": found, "words": words(found), "scope": scope}


def words(rows: Sequence[RequestRow], *, days: bool = False) -> Mapping[str, Any]:
    """What the table of requests needs to say these; `days`: with the date."""
    return {
        "unit": duration_unit(row.duration_us for row in rows),
        "sizes": byte_unit(row.response_bytes for row in rows),
        "first_bytes": shows_first_bytes(rows),
        "status_name": status_name,
        "ending": ending,
        "pieces": pieces,
        "time_format": "step" if days else "clock",
    }


def shows_first_bytes(rows: Sequence[RequestRow]) -> bool:
    """Whether enough rows have a first byte: only streamed responses have one of their own."""
    return sum(row.first_byte_us is not None for row in rows) >= max(1, ENOUGH * len(rows))


def ending(row: RequestRow) -> tuple[str, str]:
    """How a request ended beyond its status: in short, and in full for whoever points at it."""
    outcome = "" if row.outcome == "completed" else OUTCOMES[row.outcome]
    exception = row.exception or ""
    return (
        " ".join(part for part in (outcome, exception.rpartition(".")[2]) if part),
        " · ".join(part for part in (str(row.status), outcome, exception) if part),
    )


def status_name(row: RequestRow) -> str:
    """The class a request is coloured and counted as, in the words of the throughput chart."""
    return class_of(row.status, row.outcome)


def class_of(status: int, outcome: Outcome) -> str:
    """The same for any status and outcome."""
    if outcome == "disconnected":
        return "disconnected"
    if outcome == "failed" or status >= 500:
        return "server_error"
    names = {1: "informational", 2: "success", 3: "redirect", 4: "client_error"}
    return names.get(status // 100, "server_error")


PANEL: Final = Panel("requests", show)
