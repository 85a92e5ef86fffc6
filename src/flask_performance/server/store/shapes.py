"""The shapes that travel through the seam of the event store, to it and back (`base.py`).

Times are UTC microseconds since the epoch, durations microseconds, sizes bytes.
"""

from collections.abc import Set as AbstractSet
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from flask_performance.wire import Outcome

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
#: An instance is known for so long at least: what it says then counts from what it said before.
LEDGER_DAYS = 90
#: An instance that said nothing for this long before the end of a window is silent.
SILENT_US = 5 * MINUTE_US


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests of a project are meant: a half-open time window and optional conditions."""

    project_id: int
    start_us: int
    end_us: int
    method: str | None = None
    #: Exact rule; the empty string means "requests that matched no route".
    route: str | None = None
    #: "404" for one status, "4xx" for a class.
    status: str | None = None
    environment: str | None = None
    release: str | None = None
    outcome: Outcome | None = None
    #: Only errors: status 500 or above, or failed mid-body.
    errors: bool = False
    #: Half-open, like the window.
    duration_from_us: int | None = None
    duration_to_us: int | None = None
    #: The instance's wire id.
    instance: str | None = None
    consumer: str | None = None
    trace_id: str | None = None
    #: A part of the path, as it is written.
    path: str | None = None
    #: The path, all of it.
    whole_path: str | None = None

    @property
    def seconds(self) -> float:
        return (self.end_us - self.start_us) / SECOND_US

    @property
    def single(self) -> bool:
        """Whether it asks for what only single requests know, and no rollup."""
        return any(
            part is not None
            for part in (
                self.duration_from_us, self.duration_to_us,
                self.instance, self.consumer, self.trace_id, self.path, self.whole_path,
            )
        )  # fmt: skip


class Thresholds(msgspec.Struct, frozen=True):
    """Apdex thresholds in microseconds: the project's, and those that operations have of their own.

    A response up to it satisfies, one up to four times as long is tolerated (apdex.org).
    """

    us: int
    #: (method, route, threshold).
    own: tuple[tuple[str, str, int], ...] = ()


class Projects(NamedTuple):
    """What the accounts know of projects: who has rows and is not there, is gone or not theirs."""

    #: Of those there are.
    ids: AbstractSet[int]
    #: Of all that there ever were.
    greatest: int


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Days that a project's data is kept. What is coarser is kept for at least as long."""

    raw_days: int
    minutes_days: int
    hours_days: int


def apdex(requests: int, satisfied: int | None, tolerated: int | None) -> float | None:
    """0 to 1, as apdex.org counts; None where nothing happened or nobody asked."""
    if satisfied is None or tolerated is None or not requests:
        return None
    return (satisfied + tolerated / 2) / requests


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a set of requests. Quantiles are within 1 % and None where nothing happened.

    An error is a request with status 500 or above, or one that failed mid-body.
    """

    requests: int
    errors: int
    duration_us: int  # sum over the requests
    p50_us: float | None
    p95_us: float | None
    p99_us: float | None
    #: Requests that satisfied, and that were tolerated; an error is neither. None: not asked for.
    #: Exact where single requests are read; in rollups a threshold is met within 1 %.
    satisfied: int | None = None
    tolerated: int | None = None

    @property
    def apdex(self) -> float | None:
        return apdex(self.requests, self.satisfied, self.tolerated)


class OperationStats(Stats, frozen=True, kw_only=True):
    method: str
    route: str
    endpoint: str | None


class StatusStats(Stats, frozen=True, kw_only=True):
    """The requests that ended with one status and in one way."""

    status: int
    outcome: Outcome


class ConsumerStats(Stats, frozen=True, kw_only=True):
    consumer: str


class UnmatchedPath(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that asked for one path in vain, in one way."""

    method: str
    path: str
    status: int
    requests: int
    last_us: int  # when the newest of them began
    consumer: str | None  # the one who asked last, of those that the app names
    several: bool  # whether others asked as well


#: What `measures` tells of a set of requests, in the order of `sql/measures.sql`.
Measure = Literal[
    "duration_us", "first_byte_us", "cpu_us", "waiting_us", "queue_us",
    "request_bytes", "response_bytes",
]  # fmt: skip
MEASURES: Final[tuple[Measure, ...]] = get_args(Measure)


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How one measure of some requests spreads; quantiles are within 1 %."""

    requests: int  # that have it
    p50: float
    p95: float
    p99: float


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a series. Steps without requests are there too, with zeros and None."""

    start_us: int
    informational: int  # 1xx, completed
    success: int  # 2xx, completed
    redirect: int  # 3xx, completed
    client_error: int  # 4xx, completed
    server_error: int  # 5xx completed, and every failed one
    disconnected: int
    errors: int  # as in `Stats`: of those who left early as well
    p50_us: float | None
    p95_us: float | None
    p99_us: float | None
    #: As in `Stats`.
    satisfied: int | None = None
    tolerated: int | None = None

    @property
    def apdex(self) -> float | None:
        return apdex(self.requests, self.satisfied, self.tolerated)

    @property
    def requests(self) -> int:
        return (
            self.informational
            + self.success
            + self.redirect
            + self.client_error
            + self.server_error
            + self.disconnected
        )


class Heatmap(msgspec.Struct, frozen=True, kw_only=True):
    """Requests by step and latency bucket (`latency.py`): parallel columns, by step and bucket.

    A bucket of a step that nobody is in is left out.
    """

    starts_us: list[int]
    buckets: list[int]
    requests: list[int]


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stored request."""

    id: int  # unique in the store, ascending in the order of storing
    start_us: int
    duration_us: int
    method: str
    route: str
    endpoint: str | None
    path: str
    status: int
    outcome: Outcome
    first_byte_us: int | None
    request_bytes: int | None
    response_bytes: int | None
    cpu_us: int | None
    queue_us: int | None
    exception: str | None
    trace_id: str | None
    consumer: str | None
    instance: str  # the instance's wire id
    host: str | None
    environment: str | None
    release: str | None


class Page(msgspec.Struct, frozen=True):
    """Some rows, newest first, and the cursor that continues after them (None at the end)."""

    rows: list[RequestRow]
    next: str | None


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release of a project, and when its first process was first heard."""

    name: str
    #: When its first batch came; where that told of requests from before, when they began.
    first_us: int


class LedgerTotals(msgspec.Struct, frozen=True, kw_only=True):
    """seen = stored + sum(dropped) + waiting + lost, over the batches received in a window."""

    seen: int
    stored: int
    waiting: int  # still in a living client's buffer when it last reported
    lost: int
    dropped: dict[str, int]  # by reason, the client's and the platform's
    #: Instances that ended without a goodbye, or are idle: no final batch, and no batch for
    #: SILENT_US before the window's end and ever since. An idle process sends nothing, so the two
    #: look alike. What one that ended saw after its last batch is unknown, and in no number above.
    silent: int = 0


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """A project at a glance, for the list of projects."""

    project_id: int
    stats: Stats
    points: list[int]  # requests a step, oldest first
    lost: int
    last_seen_us: int | None  # when its newest batch arrived, ever; None: never
