"""Which rollup answers which part of a time window.

    start          minutes          hours          six hours          hours    minutes     end
      │  requests    │    minutes     │    hours     │    six hours    │   …   │   …    │   │

A part may be empty. The parts cover the window exactly, so a sum over them is exact as well. What
is not in the rollups yet is added from the requests. A filter on what only single requests know
reads them alone.
"""

from typing import Final, NamedTuple

from .base import HOUR_US, MINUTE_US, Filter
from .rollups import OPERATIONS, TOTALS, Rollup

#: Up to this length a window is read from the requests alone: one scan is quicker than three.
SHORT_US: Final = 20 * MINUTE_US


class Part(NamedTuple):
    """A part of a window, and what answers it; None: the requests themselves."""

    rollup: Rollup | None
    from_us: int
    to_us: int


def parts(
    filter: Filter, step_us: int = HOUR_US, *, together: bool = False, raw_from_us: int = 0
) -> list[Part]:
    """The parts of a window, none of them empty; an empty window has none.

    `step_us` forbids rollups coarser than a step; `together`: nobody asks for an operation;
    `raw_from_us`: single requests from before are deleted, and minutes are better than nothing.
    """
    found: list[Part] = []
    inner = (filter.start_us, filter.end_us)
    within: Rollup | None = None
    for rollup in _fitting(filter, step_us, together, raw_from_us):
        whole = inside(*inner, rollup.width_us)
        if whole[0] == whole[1]:
            break
        found += [Part(within, inner[0], whole[0]), Part(within, whole[1], inner[1])]
        inner, within = whole, rollup
    found.append(Part(within, *inner))
    return [part for part in found if part.from_us < part.to_us]


def _fitting(filter: Filter, step_us: int, together: bool, raw_from_us: int) -> list[Rollup]:
    """The rollups that may answer, the finest first."""
    deleted = filter.start_us < raw_from_us
    short = filter.end_us - filter.start_us <= SHORT_US and not deleted
    if filter.single or short:
        return []
    if step_us % MINUTE_US:
        return list(OPERATIONS[:1]) if deleted else []
    levels = (OPERATIONS[0], *TOTALS) if together else OPERATIONS
    return [rollup for rollup in levels if step_us % rollup.width_us == 0]


def inside(start: int, end: int, width: int) -> tuple[int, int]:
    """The largest aligned window inside another; an empty one lies at its end."""
    first, last = -(-start // width) * width, end // width * width
    return (first, last) if first < last else (end, end)


def statuses(status: str) -> tuple[int, int]:
    """First and last status that a filter means: "404" one, "4xx" a class.

    Raises ValueError for anything else.
    """
    if len(status) == 3 and status[0] in "12345":
        if status[1:].lower() == "xx":
            return int(status[0]) * 100, int(status[0]) * 100 + 99
        if status.isdecimal() and status.isascii():
            return int(status), int(status)
    raise ValueError(
        f"status is {status!r}, but must be a status such as 404 or a class such as 4xx"
    )
