"""Whether a process lives: what its last word, its goodbye and its successors say about it.

A process that ends in order says goodbye. One that is killed cannot; it falls silent, as does an
idle one whose client does not say now and then that it lives. Where the two look alike, who came
after it on the same machine may tell them apart: a server replaces a process that died.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args

from .base import HOUR_US, SILENT_US, EventStore, Filter, Spread
from .processes import InstanceRow

State = Literal[
    "serving",  # heard lately, with requests
    "idle",  # heard lately, without
    "silent",  # idle or ended, and nothing tells which
    "gone",  # it should have spoken, and did not
    "replaced",  # silent, and another process took its place
    "ended",  # it said goodbye
]
#: In the order of concern of who looks for what lives.
STATES: Final[tuple[State, ...]] = get_args(State)
LIVING: Final[frozenset[State]] = frozenset({"serving", "idle"})
#: More processes than a person reads; those heard last.
MOST: Final = 1_000
#: How long requests waited is asked of this much of a window, its end: only single requests know.
WAITS_US: Final = HOUR_US


def waits(store: EventStore, filter: Filter) -> dict[str, Spread]:
    """How long requests waited in front of each process (its wire id) lately, of all kinds."""
    lately = Filter(
        project_id=filter.project_id,
        start_us=max(filter.start_us, filter.end_us - WAITS_US),
        end_us=filter.end_us,
        environment=filter.environment,
        release=filter.release,
        instance=filter.instance,
    )
    return store.waits(lately)


def states(rows: Sequence[InstanceRow], at_us: int) -> list[State]:
    """The state of each of a project's processes at a moment, as far as anybody can know."""
    replaced = _replaced(rows, at_us)
    return ["replaced" if row.instance in replaced else _alone(row, at_us) for row in rows]


def _alone(row: InstanceRow, at_us: int) -> State:
    """What a process itself says of its state."""
    if row.final:
        return "ended"
    if _quiet(row, at_us):
        return "gone" if row.usage is not None and row.usage.beat_us else "silent"
    served_us = row.served_us
    return "serving" if served_us is not None and at_us - served_us <= SILENT_US else "idle"


def _quiet(row: InstanceRow, at_us: int) -> bool:
    return not row.final and at_us - row.last_seen_us > SILENT_US


def _replaced(rows: Iterable[InstanceRow], at_us: int) -> set[str]:
    """The silent ones whose place another process took.

    On each machine every process that starts takes the place of one that ended before it: first of
    those that said goodbye, for they are known to have ended.
    """
    machines: defaultdict[tuple[str, str | None], list[InstanceRow]] = defaultdict(list)
    for row in rows:
        if row.host is not None:
            machines[row.host, row.environment].append(row)
    found: set[str] = set()
    for processes in machines.values():
        # A start that lies before the last word of all others replaced nobody.
        left = sorted(
            (row for row in processes if row.final or _quiet(row, at_us)),
            key=lambda row: (not row.final, row.last_seen_us),
        )
        for started_us in sorted(row.started_us for row in processes if row.started_us):
            place = next((row for row in left if row.last_seen_us < started_us), None)
            if place is not None:
                left.remove(place)
                if not place.final:
                    found.add(place.instance)
    return found
