"""One request in full: every recorded field in words, its time in phases, and where it leads."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from flask_performance.server.store.base import HOUR_US, MINUTE_US, EventStore, Filter, RequestRow

from .chips import OUTCOMES
from .formats import byte_unit, count, duration_unit
from .panels.requests import status_name
from .scope import REQUESTS_PAGE, Scope
from .state import State

__all__ = ["facts", "links", "phases", "standing", "status_name"]

#: A trace's other requests are looked for this long around, an instance's likewise.
AROUND_US: Final = 15 * MINUTE_US
#: A request is compared with those of its operation in the hour around it, if there are so many.
COMPARED: Final = 20


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


def facts(row: RequestRow) -> list[tuple[str, list[Fact]]]:
    """Every field, in groups; what an app does not send reads "–"."""
    return [
        ("Answer", _answer(row)),
        ("Size", [_size("Request body", row.request_bytes), _size("Response", row.response_bytes)]),
        ("Time", _time(row)),
        ("Origin", _origin(row)),
    ]


def _answer(row: RequestRow) -> list[Fact]:
    return [
        Fact("Status", str(row.status)),
        Fact("Outcome", OUTCOMES[row.outcome]),
        _text("Exception", row.exception),
        _text("Endpoint", row.endpoint),
        _text("Route", row.route or None, "no route matched"),
    ]


def _time(row: RequestRow) -> list[Fact]:
    waiting_us = None if row.cpu_us is None else max(0, row.duration_us - row.cpu_us)
    return [
        _duration("Duration", row.duration_us, "from the app's entry to the end of the body"),
        _duration("First byte", row.first_byte_us, "until the body began"),
        _duration("CPU", row.cpu_us, "of the thread that served it"),
        _duration("Waiting", waiting_us, "duration without CPU: database, network, locks"),
        _duration("Queue", row.queue_us, "from the proxy's stamp to the app's entry"),
    ]


def _origin(row: RequestRow) -> list[Fact]:
    return [
        _text("Consumer", row.consumer),
        _text("Trace", row.trace_id),
        _text("Host", row.host),
        _text("Instance", row.instance),
        _text("Environment", row.environment),
        _text("Release", row.release),
    ]


def _text(label: str, value: str | None, missing: str = "–") -> Fact:
    return Fact(label, missing if value is None else value, code=value is not None)


def _duration(label: str, us: int | None, note: str) -> Fact:
    unit = duration_unit([us])
    return Fact(label, unit.show(us), "" if us is None else unit.symbol, note)


def _size(label: str, size: int | None) -> Fact:
    unit = byte_unit([size])
    return Fact(label, unit.show(size), "" if size is None else unit.symbol)


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


def standing(store: EventStore, project_id: int, row: RequestRow) -> str:
    """How its duration stands among those of its operation in the hour around it; "" if unknown."""
    around = Filter(
        project_id=project_id,
        start_us=max(0, row.start_us - HOUR_US // 2),
        end_us=row.start_us + HOUR_US // 2,
        method=row.method,
        route=row.route,
    )
    all_of_them = store.summary(around).requests
    if all_of_them < COMPARED:
        return ""
    faster = msgspec.structs.replace(around, duration_to_us=row.duration_us)
    share = store.summary(faster).requests / all_of_them
    return (
        f"slower than {share * 100:.0f} % of the {count(all_of_them)} requests "
        "of its operation in the hour around it"
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
