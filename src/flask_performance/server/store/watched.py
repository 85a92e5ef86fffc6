"""Since when an app was watched in a window: what its counts are divided by to become rates."""

from typing import Final

from .base import MINUTE_US, SECOND_US, EventStore, Filter

#: The window is looked through in so many parts, and again the first of them that has requests.
PARTS: Final = 60


def first_us(store: EventStore, filter: Filter) -> int | None:
    """When the project's first data came, if that lies in the window; None: earlier, or not yet.

    Of the filter only project and window apply. Exact to a second where single requests are kept,
    else to a minute or an hour. A rate over a time in which nobody watched yet would be wrong.
    """
    project_id, start_us, end_us = filter.project_id, filter.start_us, filter.end_us
    if store.last_seen_us(project_id) is None or store.heard_before(project_id, start_us):
        return None
    found: int | None = None
    while True:
        step_us = _step_us(end_us - start_us)
        part = Filter(project_id=project_id, start_us=start_us, end_us=end_us)
        steps = (one.start_us for one in store.series(part, step_us) if one.requests)
        first = next(steps, None)
        if first is None:
            return found
        found = max(first, start_us)
        if step_us <= SECOND_US:
            return found
        start_us, end_us = found, min(first + step_us, end_us)


def watched_seconds(store: EventStore, filter: Filter) -> float:
    """How much of the window the app was watched for."""
    first = first_us(store, filter)
    return filter.seconds if first is None else seconds_since(first, filter.end_us)


def seconds_since(first_us: int, end_us: int) -> float:
    """A second at least: less is no time for a rate."""
    return max(1.0, (end_us - first_us) / SECOND_US)


def _step_us(width_us: int) -> int:
    """Whole minutes where there are some, which rollups answer."""
    step_us = max(SECOND_US, -(-width_us // PARTS))
    width = MINUTE_US if step_us >= MINUTE_US else SECOND_US
    return -(-step_us // width) * width
