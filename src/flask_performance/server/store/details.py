"""The details: rollups of what single requests know beside their duration, by six hours.

How each measure of an operation spreads, its consumers with the most time, and the paths that were
asked for in vain most often. They are made some time after the other rollups, many requests at
once (`duckdb_details.py`); a question adds what is not in them yet from the requests.
"""

from typing import Final, Literal

from .base import DAY_US, Filter
from .rollups import SIX_US
from .window import inside

Detail = Literal["measures", "consumers", "unmatched"]
WIDTH_US: Final = SIX_US
#: The table of each.
DETAILS: Final[dict[Detail, str]] = {
    "measures": "measure_six",
    "consumers": "consumer_six",
    "unmatched": "unmatched_six",
}
#: Kept of the requests that are detailed together: consumers of an operation, environment and
#: release, and paths of an environment. What nobody is in is not cut.
MOST_CONSUMERS: Final = 20
MOST_PATHS: Final = 1_000
#: Up to this length all consumers of a window are counted.
ALL_CONSUMERS_US: Final = DAY_US
#: What a row of each is of, beside project, step, environment and release.
KEYS: Final[dict[Detail, frozenset[str]]] = {
    "measures": frozenset(),
    "consumers": frozenset(),
    "unmatched": frozenset({"status"}),
}


def whole_steps(detail: Detail, filter: Filter) -> tuple[int, int]:
    """The whole steps of a window that a detail answers; none where it cannot."""
    nothing = (filter.end_us, filter.end_us)
    if filter.single or filter.outcome is not None or filter.errors:
        return nothing
    if filter.status is not None and "status" not in KEYS[detail]:
        return nothing
    if detail == "consumers" and filter.end_us - filter.start_us <= ALL_CONSUMERS_US:
        return nothing
    return inside(filter.start_us, filter.end_us, WIDTH_US)
