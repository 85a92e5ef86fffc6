"""Which rollup answers which part of a time window.

    start        minutes_from    hours_from      hours_to    minutes_to       end
      │ requests     │   minutes     │    hours      │   minutes   │  requests  │

A part may be empty. The parts cover the window exactly, so a sum over them is exact as well. What
is not in the rollups yet is added from the requests. A filter on what only single requests know
reads them alone.
"""

from typing import Final

from .base import HOUR_US, MINUTE_US, Filter

#: Up to this length a window is read from the requests alone: one scan is quicker than three.
SHORT_US: Final = 20 * MINUTE_US


def boundaries(filter: Filter, step_us: int = HOUR_US) -> dict[str, int]:
    """The six instants of the drawing; `step_us` forbids rollups coarser than a step."""
    start, end = filter.start_us, filter.end_us
    short = filter.single or end - start <= SHORT_US or step_us % MINUTE_US
    minutes = (end, end) if short else _inside(start, end, MINUTE_US)
    hours = (minutes[1], minutes[1]) if step_us % HOUR_US else _inside(*minutes, HOUR_US)
    return {
        "start_us": start,
        "minutes_from": minutes[0],
        "hours_from": hours[0],
        "hours_to": hours[1],
        "minutes_to": minutes[1],
        "end_us": end,
    }


def parts(window: dict[str, int]) -> list[str]:
    """The names of the queries that cover a window: those of its parts that are not empty.

    An empty window is one empty part: the question is asked all the same, and finds nothing.
    """
    minutes_from, minutes_to = window["minutes_from"], window["minutes_to"]
    has = {
        "cells_hours": window["hours_from"] < window["hours_to"],
        "cells_minutes": minutes_from < window["hours_from"] or window["hours_to"] < minutes_to,
        "cells_fresh": minutes_from < minutes_to,
        "cells_edges": window["start_us"] < minutes_from or minutes_to < window["end_us"],
    }
    return [name for name, there in has.items() if there] or ["cells_edges"]


def _inside(start: int, end: int, width: int) -> tuple[int, int]:
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
