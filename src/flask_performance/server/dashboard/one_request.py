"""One request in full: every recorded field in words, its time in phases, and where it leads."""

from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import HOUR_US, MINUTE_US, EventStore, Filter, RequestRow
from flask_performance.server.store.latency import least_of

from .chips import OUTCOMES
from .formats import byte_unit, count, duration_unit
from .panels import distribution
from .panels.heatmap import Bands
from .panels.requests import status_name
from .scope import ALL_IN_ONE_US, REQUESTS_PAGE, Scope
from .state import State

__all__ = ["facts", "links", "measures", "phases", "standing", "status_name"]

#: A trace's other requests are looked for this long around, an instance's likewise.
AROUND_US: Final = 15 * MINUTE_US
#: A request is compared with those of its operation in the hour around it, if there are so many.
COMPARED: Final = 20
#: Of the drawing of where it stands: its height, its bars', and what is free above (pixels).
HEIGHT: Final = 116
GROUND: Final = 94
TOP: Final = 20


@dataclass(frozen=True)
class Fact:
    """One field: what it is, its value with its unit, what that means where a name says little."""

    label: str
    value: str
    unit: str = ""
    note: str = ""
    code: bool = False


@dataclass(frozen=True)
class Phase:
    """A part of a request's time, from `start` on, both as shares of all of it."""

    name: str
    label: str
    duration: str
    start: float
    share: float


@dataclass(frozen=True)
class Standing:
    """How long a request took among others: in words, and as a histogram with its own place."""

    words: str
    bars: list[distribution.Bar]
    ticks: list[tuple[float, str]]
    x: float
    height: int = HEIGHT
    ground: int = GROUND

    @property
    def anchor(self) -> str:
        """On which side of its line the label is."""
        return "end" if self.x > distribution.TURNS_AT else "start"


def measures(row: RequestRow) -> list[Fact]:
    """What was measured, the most asked for first; what an app does not send reads "–"."""
    waiting_us = None if row.cpu_us is None else max(0, row.duration_us - row.cpu_us)
    return [
        _duration("Duration", row.duration_us, "to the end of the body"),
        _duration("First byte", row.first_byte_us, "until the body began"),
        _duration("CPU", row.cpu_us, "of its thread"),
        _duration("Waiting", waiting_us, "for database, network, locks"),
        _duration("Queue", row.queue_us, "from proxy to app"),
        _size("Response", row.response_bytes, "sent"),
    ]


def facts(row: RequestRow) -> list[tuple[str, list[Fact]]]:
    """All other fields, in groups."""
    return [
        (
            "Request",
            [
                _text("Path", row.path),
                _text("Route", row.route or None, "no route matched"),
                _text("Endpoint", row.endpoint),
                _text("Consumer", row.consumer),
                _text("Trace", row.trace_id),
                _size("Request body", row.request_bytes),
            ],
        ),
        (
            "Answer",
            [
                Fact("Status", str(row.status)),
                Fact("Outcome", OUTCOMES[row.outcome]),
                _text("Exception", row.exception),
            ],
        ),
        (
            "Process",
            [
                _text("Host", row.host),
                _text("Instance", row.instance),
                _text("Environment", row.environment),
                _text("Release", row.release),
            ],
        ),
    ]


def _text(label: str, value: str | None, missing: str = "–") -> Fact:
    return Fact(label, missing if value is None else value, code=value is not None)


def _duration(label: str, us: int | None, note: str) -> Fact:
    unit = duration_unit([us])
    return Fact(label, unit.show(us), "" if us is None else unit.symbol, note)


def _size(label: str, size: int | None, note: str = "") -> Fact:
    unit = byte_unit([size])
    return Fact(label, unit.show(size), "" if size is None else unit.symbol, note)


def phases(row: RequestRow) -> list[Phase]:
    """What the time went by with: in the queue, until the first byte, the rest of the body."""
    first_byte_us = min(row.first_byte_us or 0, row.duration_us)
    body = "body" if first_byte_us else "in the app"
    parts = [
        ("queue", "in the queue", row.queue_us or 0),
        ("first", "until the first byte", first_byte_us),
        ("body", body, row.duration_us - first_byte_us),
    ]
    total_us = sum(us for _, _, us in parts) or 1
    found, start_us = [], 0
    for name, label, us in parts:
        if us:
            unit = duration_unit([us])
            took = f"{unit.show(us)} {unit.symbol}"
            found.append(Phase(name, label, took, start_us / total_us, us / total_us))
        start_us += us
    return found


def standing(store: EventStore, project_id: int, row: RequestRow) -> Standing | None:
    """Where it stands among the requests of its operation in the hour around it; None: too few."""
    around = Filter(
        project_id=project_id,
        start_us=max(0, row.start_us - HOUR_US // 2),
        end_us=row.start_us + HOUR_US // 2,
        method=row.method,
        route=row.route,
    )
    found = store.heatmap(around, ALL_IN_ONE_US)
    requests = sum(found.requests)
    if requests < COMPARED:
        return None
    # What shares its latency bucket took as long as it did, within 1 %.
    faster = sum(
        number
        for bucket, number in zip(found.buckets, found.requests, strict=True)
        if least_of(bucket + 1) <= row.duration_us
    )
    words = f"slower than {faster / requests * 100:.0f} % of the {count(requests)} requests"
    bands = Bands.over(found.buckets)
    counts = distribution.banded(bands, found)
    scale = distribution.Scale(bands, distribution.tallest_share(counts), GROUND, TOP)
    return Standing(
        words=f"{words} of its operation in the hour around it",
        bars=distribution.bars(bands, counts, scale),
        ticks=distribution.ticks(bands, scale),
        x=scale.x(row.duration_us),
    )


def links(scope: Scope, row: RequestRow) -> list[tuple[str, str]]:
    """Where to go on: words and URL."""
    here = State(
        start_us=max(0, row.start_us - AROUND_US) // 1_000_000 * 1_000_000,
        end_us=-(-(row.start_us + AROUND_US) // 1_000_000) * 1_000_000,
    )
    path = scope.project.path + REQUESTS_PAGE
    operation: dict[str, Any] = {"method": row.method, "route": row.route}
    found = [
        ("Requests of its operation then", path + here.query(**operation)),
        ("Requests of its instance then", path + here.query(instance=row.instance)),
    ]
    if row.trace_id:
        found.append(("Requests of the same trace", path + here.query(trace_id=row.trace_id)))
    if row.consumer:
        found.append(("Requests of its consumer then", path + here.query(consumer=row.consumer)))
    return found
