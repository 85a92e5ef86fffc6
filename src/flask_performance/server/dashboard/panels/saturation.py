"""Whether the app has workers enough: how busy those of each host are, and what to do, in words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from flask_performance.server.store.base import Spread
from flask_performance.server.store.living import LIVING, states
from flask_performance.server.store.processes import InstanceRow, Usage

from ..formats import byte_unit, duration_unit
from ..scope import Scope
from .base import Panel

#: From this share on workers have no room for the next peak.
BUSY_FROM: Final = 0.8
#: Fewer workers would do where all together are less busy than this …
IDLE_BELOW: Final = 0.1
#: … and would still be only so busy.
ROOM: Final = 0.4
#: A wait (microseconds, p95) that a person may notice in a response.
WAITS_FROM_US: Final = 20_000
#: Above this share of their busy time workers compute; below they wait for something.
COMPUTING_FROM: Final = 0.7


@dataclass(frozen=True)
class Workers:
    """The living processes of a host and environment."""

    host: str
    environment: str | None
    number: int
    busy: float | None  # share of what they can serve
    cpu: float | None  # processors that they keep busy
    computing: float | None  # share of their busy time
    memory_bytes: int | None
    wait_us: float | None  # p95 in front of the worst of them; None: no proxy says it
    slots: int  # requests that they serve at once, as far as seen

    @property
    def subject(self) -> str:
        """The start of a sentence about them: "Both workers of web-1 were"."""
        if self.number == 1:
            return f"The only worker of {self.host} was"
        return f"{'Both' if self.number == 2 else f'All {self.number}'} workers of {self.host} were"

    @property
    def needed(self) -> int:
        """How many of them would do."""
        return max(1, ceil(self.number * (self.busy or 0.0) / ROOM))


@dataclass(frozen=True)
class Advice:
    """What to do, and how urgent it is."""

    words: str
    tone: str  # "good", "notice", "bad" or "quiet"


@dataclass(frozen=True)
class Line:
    workers: Workers
    advice: Advice


def show(scope: Scope) -> Mapping[str, Any]:
    found = groups(scope.instances, scope.window.end_us, scope.waits)
    return {"lines": [Line(workers, advice(workers)) for workers in found]}


def groups(rows: Sequence[InstanceRow], at_us: int, waits: Mapping[str, Spread]) -> list[Workers]:
    """The living processes by host and environment, the busiest first."""
    machines: defaultdict[tuple[str, str | None], list[InstanceRow]] = defaultdict(list)
    for row, state in zip(rows, states(rows, at_us), strict=True):
        if state in LIVING:
            machines[row.host or "an unnamed host", row.environment].append(row)
    found = [_workers(*key, members, waits) for key, members in machines.items()]
    return sorted(found, key=lambda one: (-(one.busy or 0.0), one.host, one.environment or ""))


def _workers(
    host: str,
    environment: str | None,
    members: Sequence[InstanceRow],
    waits: Mapping[str, Spread],
) -> Workers:
    # Apps that are mounted in one process are an instance each: its memory is one all the same.
    processes: defaultdict[object, list[Usage]] = defaultdict(list)
    for row in members:
        processes[row.pid or row.instance] += [row.usage] if row.usage else []
    known = [usages for usages in processes.values() if usages]
    slots = sum(max(usage.slots for usage in usages) for usages in known)
    busy = [min(1.0, sum(usage.busy or 0.0 for usage in usages)) for usages in known]
    weighed = sum(
        share * max(usage.slots for usage in usages)
        for share, usages in zip(busy, known, strict=True)
    )
    measured = any(usage.busy is not None for usages in known for usage in usages)
    cpu = sum(max(usage.cpu or 0.0 for usage in usages) for usages in known)
    memory = sum(max(usage.memory_bytes or 0 for usage in usages) for usages in known)
    waited = [waits[row.instance].p95 for row in members if row.instance in waits]
    return Workers(
        host=host,
        environment=environment,
        number=len(processes),
        busy=weighed / slots if measured else None,
        cpu=cpu if measured else None,
        computing=min(1.0, cpu / weighed) if measured and weighed else None,
        memory_bytes=memory or None,
        wait_us=max(waited, default=None),
        slots=slots,
    )


def advice(workers: Workers) -> Advice:
    """One sentence on how busy they were, and one on what follows from it."""
    if workers.busy is None:
        return Advice(
            f"How busy the {'worker' if workers.number == 1 else 'workers'} of {workers.host} "
            "were is not known yet: it takes a second, and a client that says it "
            "(flask-performance 1.0 or later).",
            "quiet",
        )
    waited = workers.wait_us is not None and workers.wait_us >= WAITS_FROM_US
    said = f"{workers.subject} busy {_percent(workers.busy)} of the time{_waits(workers, waited)}"
    if workers.busy >= BUSY_FROM:
        return Advice(f"{said}: {_more(workers, waited)}", "bad" if waited else "notice")
    if waited:
        return Advice(
            f"{said} though they had room: look at what stands in front of them, not at their "
            "number (connections, balancing, a clock that differs).",
            "notice",
        )
    if workers.busy < IDLE_BELOW and workers.number > 2 and workers.needed < workers.number:
        return Advice(f"{said}: {_fewer(workers)}", "quiet")
    return Advice(f"{said}: enough for now.", "good")


def _more(workers: Workers, waited: bool) -> str:
    first = "add workers" if waited else "add workers before requests have to wait"
    if workers.wait_us is None:
        first += "; whether requests wait already is told by a proxy that sets X-Request-Start"
    if workers.computing is not None and workers.computing >= COMPUTING_FROM:
        return f"{first}. They compute most of that time, so each needs a CPU of its own."
    return f"{first}. They wait most of that time (database, network), so threads would do, too."


def _fewer(workers: Workers) -> str:
    would = f"{workers.needed} would do"
    if workers.memory_bytes is None:
        return f"{would}."
    freed = workers.memory_bytes * (workers.number - workers.needed) // workers.number
    unit = byte_unit([freed])
    return f"{would} and free some {unit.show(freed)} {unit.symbol}."


def _waits(workers: Workers, waited: bool) -> str:
    if workers.wait_us is None:
        return ""
    if not waited:
        return " and hardly a request waited"
    unit = duration_unit([workers.wait_us])
    return f" and requests waited {unit.show(workers.wait_us)} {unit.symbol} at p95"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.005 else "less than 1 %"


PANEL: Final = Panel("saturation", show)
