"""What a request costs: its time in parts, and its sizes, each as it spreads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import Measure, Spread

from ..downloads import Table
from ..formats import Unit, byte_unit, duration_unit
from ..scope import Scope
from .base import Panel

#: Each measure in words, what it means, whether it is a size.
WORDS: Final[dict[Measure, tuple[str, str, bool]]] = {
    "duration_us": ("Response time", "to the end of the body", False),
    "first_byte_us": ("First byte", "until a streamed body began", False),
    "cpu_us": ("CPU", "of the thread that served it", False),
    "waiting_us": ("Waiting", "without CPU: database, network, locks", False),
    "queue_us": ("Queue", "from proxy to app", False),
    "request_bytes": ("Request body", "", True),
    "response_bytes": ("Response", "", True),
}


@dataclass(frozen=True)
class Row:
    """A measure that some requests have."""

    label: str
    note: str
    spread: Spread
    unit: Unit
    #: Of all requests, those that have it.
    known: float


def show(scope: Scope) -> Mapping[str, Any]:
    return {"rows": rows(scope.measures)}


def rows(measures: Mapping[Measure, Spread]) -> list[Row]:
    """In the order of WORDS; what no request has is left out."""
    times = [spread.p95 for name, spread in measures.items() if not WORDS[name][2]]
    sizes = [round(spread.p95) for name, spread in measures.items() if WORDS[name][2]]
    time_unit, size_unit = duration_unit(times), byte_unit(sizes)
    total = measures["duration_us"].requests if measures else 0
    return [
        Row(label, note, measures[name], size_unit if size else time_unit,
            measures[name].requests / total)
        for name, (label, note, size) in WORDS.items()
        if name in measures
    ]  # fmt: skip


def table(scope: Scope) -> Table:
    """Each measure in the unit that its name says: microseconds or bytes."""
    return Table(
        ("measure", "requests", "p50", "p95", "p99"),
        (
            (name, one.requests, *(round(value, 3) for value in (one.p50, one.p95, one.p99)))
            for name, one in scope.measures.items()
        ),
    )


PANEL: Final = Panel("costs", show, table=table)
