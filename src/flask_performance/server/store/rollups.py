"""The rollups of requests: their tables, the width of their steps, and how long each is kept."""

from typing import Final, Literal, NamedTuple

from .base import DAY_US, HOUR_US, MINUTE_US

Tier = Literal["raw", "minutes", "hours"]
TEN_US: Final = 10 * MINUTE_US
SIX_US: Final = 6 * HOUR_US
#: What a row of a rollup is of, beside project, step, status, outcome and bucket.
BY_OPERATION: Final = "operation_id, environment, release"
TOGETHER: Final = "environment, release"


class Rollup(NamedTuple):
    """A table of requests merged by a step."""

    table: str
    width_us: int
    tier: Tier  # it is kept as long as this
    keys: str

    def whole_us(self, at_us: int) -> int:
        """The start of the step that contains a moment: what is older ended before it."""
        return at_us // self.width_us * self.width_us


#: Every operation for itself, the finest first …
OPERATIONS: Final = (
    Rollup("rollup_minute", MINUTE_US, "minutes", BY_OPERATION),
    Rollup("rollup_hour", HOUR_US, "hours", BY_OPERATION),
    Rollup("rollup_six", SIX_US, "hours", BY_OPERATION),
    Rollup("rollup_day", DAY_US, "hours", BY_OPERATION),
)
#: … and all of them together, for the many questions that ask for none.
TOTALS: Final = (
    Rollup("total_ten", TEN_US, "minutes", TOGETHER),
    Rollup("total_hour", HOUR_US, "hours", TOGETHER),
    Rollup("total_six", SIX_US, "hours", TOGETHER),
)
ROLLUPS: Final = OPERATIONS + TOTALS
