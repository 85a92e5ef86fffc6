"""The processes of the app: whether each lives, what it uses, how busy it is."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server.store.base import MINUTE_US, SILENT_US
from flask_performance.server.store.living import LIVING, MOST, STATES, State, states
from flask_performance.server.store.processes import InstanceRow

from ..downloads import Table, milliseconds
from ..formats import byte_unit, duration_unit, element_id, instant_us, rate_unit, span
from ..scope import Scope
from ..state import NO_FILTER
from ..window import SECOND_US
from . import sorting
from .base import Panel

#: So many rows are shown until a person asks for all.
FIRST_ROWS: Final = 50
COLUMNS: Final = (
    ("process", "Process", False),
    ("state", "State", False),
    ("busy", "Busy", True),
    ("rate", "Requests", True),
    ("cpu", "CPU", True),
    ("memory", "Memory", True),
    ("queue", "Queue p95", True),
    ("seen", "Last seen", True),
)
COMMIT: Final = re.compile("[0-9a-f]{40}")
#: Those that live first.
DEFAULT_SORT: Final = "state"
#: In minutes, how long one may say nothing and still passes for living.
QUIET: Final = SILENT_US // MINUTE_US
#: Each state: what it means, and the colour it carries.
STATE_WORDS: Final[Mapping[State, tuple[str, str]]] = {
    "serving": (f"Heard in the last {QUIET} minutes, with requests", "good"),
    "idle": (f"It lives: it was heard in the last {QUIET} minutes, without requests", "idle"),
    "silent": ("Idle or ended by force: its client reports only when it has requests", "notice"),
    "gone": ("Silent without a goodbye though it should report: killed, frozen or cut off", "bad"),
    "replaced": ("Ended without a goodbye: another process of this host took its place", "notice"),
    "ended": ("It said goodbye", "quiet"),
}


@dataclass(frozen=True)
class Row:
    """A process with what only its neighbours can say about it."""

    id: str
    instance: InstanceRow
    state: State
    meaning: str
    tone: str
    rate: float  # requests a second
    wait_us: float | None
    age: str  # how long it has been running, in words
    link: str  # the requests it served

    @property
    def busy(self) -> float | None:
        usage = self.instance.usage
        return usage.busy if usage else None

    @property
    def cpu(self) -> float | None:
        usage = self.instance.usage
        return usage.cpu if usage else None

    @property
    def memory(self) -> int | None:
        usage = self.instance.usage
        return usage.memory_bytes if usage else None

    @property
    def release(self) -> str:
        """As people say it: the first digits of a commit."""
        release = self.instance.release or ""
        return release[:12] if COMMIT.fullmatch(release) else release

    @property
    def versions(self) -> str:
        """What it runs, in one line."""
        named = (("Python", self.instance.python), ("Flask", self.instance.flask))
        return ", ".join(f"{word} {value}" for word, value in named if value)


def show(scope: Scope) -> Mapping[str, Any]:
    sort = sorting.own_sort(COLUMNS, scope.state.sort, DEFAULT_SORT)
    found = sorted_rows(rows(scope), sort)
    shown = found if scope.state.all else found[:FIRST_ROWS]
    times = duration_unit(row.wait_us for row in found)
    rates = rate_unit(row.rate for row in found)
    sizes = byte_unit(row.memory for row in found)
    units = {
        "busy": "%", "cpu": "%", "memory": sizes.symbol, "queue": times.symbol,
        "rate": rates.symbol,
    }  # fmt: skip
    return {
        "columns": sorting.columns(COLUMNS, sort, units),
        "rows": shown,
        "total": len(found),
        "most": MOST,
        "living_states": LIVING,
        "living": sum(row.state in LIVING for row in found),
        "times": times,
        "rates": rates,
        "sizes": sizes,
        "mute": bool(found) and not any(row.instance.usage for row in found),
        "no_filter": NO_FILTER,
    }


def table(scope: Scope) -> Table:
    """All processes, in the order of the page."""
    sort = sorting.own_sort(COLUMNS, scope.state.sort, DEFAULT_SORT)
    return Table(
        (
            *("instance", "host", "pid", "environment", "release", "client", "python", "flask"),
            *("state", "started", "last_seen", "requests", "per_second", "busy", "cpu"),
            *("memory_bytes", "peak_memory_bytes", "threads", "queue_p95_ms"),
        ),
        [_values(row) for row in sorted_rows(rows(scope), sort)],
    )


def _values(row: Row) -> Sequence[Any]:
    one, usage = row.instance, row.instance.usage
    return (
        *(one.instance, one.host, one.pid, one.environment, one.release),
        *(one.client, one.python, one.flask, row.state),
        one.started_us and instant_us(one.started_us),
        *(instant_us(one.last_seen_us), one.requests, row.rate, row.busy, row.cpu, row.memory),
        *(usage and usage.peak_bytes, usage and usage.threads, milliseconds(row.wait_us)),
    )


def rows(scope: Scope) -> list[Row]:
    """Those heard last first."""
    found = scope.instances
    window = scope.window
    return [
        Row(
            id=element_id("instance", one.instance),
            instance=one,
            state=state,
            meaning=STATE_WORDS[state][0],
            tone=STATE_WORDS[state][1],
            rate=one.requests / one.seconds(window.start_us, window.end_us),
            wait_us=scope.waits[one.instance].p95 if one.instance in scope.waits else None,
            age=span((one.last_seen_us - one.started_us) / SECOND_US) if one.started_us else "",
            link=scope.requests_link(instance=one.instance),
        )
        for one, state in zip(found, states(found, window.end_us), strict=True)
    ]


def _by_name(row: Row) -> tuple[str, int, str]:
    one = row.instance
    return one.host or "", one.pid or 0, one.instance


#: What a column is sorted by; what is not known comes last, whichever way.
KEYS: Final[Mapping[str, Callable[[Row], float | None]]] = {
    "state": lambda row: STATES.index(row.state),
    "busy": lambda row: row.busy,
    "rate": lambda row: row.rate,
    "cpu": lambda row: row.cpu,
    "memory": lambda row: row.memory,
    "queue": lambda row: row.wait_us,
    "seen": lambda row: row.instance.last_seen_us,
}


def sorted_rows(found: list[Row], sort: str) -> list[Row]:
    """Rows in the order of `sort`; equal ones by host and process number."""
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    by_name = sorted(found, key=_by_name, reverse=falling and name == "process")
    if name not in KEYS:
        return by_name
    values = {id(row): KEYS[name](row) for row in found}

    def order(row: Row) -> tuple[bool, float]:
        value = values[id(row)]
        return value is None, 0.0 if value is None else -value if falling else value

    return sorted(by_name, key=order)


PANEL: Final = Panel("instances", show, table=table)
