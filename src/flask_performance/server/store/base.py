"""The seam of the event store: what is asked of it, and the shapes that travel through it.

Two homes are planned for the same contract: `duckdb` (embedded) and `clickhouse`. Times are UTC
microseconds since the epoch, durations microseconds, sizes bytes. Project ids are the accounts'
internal integers; who may see which project is decided before a question reaches the store.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec

from flask_performance.wire import Outcome

from .processes import DeclaredRoute, InstanceRow

if TYPE_CHECKING:
    from .block import Block

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


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Days that a project's data is kept. What is coarser is kept for at least as long."""

    raw_days: int
    minutes_days: int
    hours_days: int


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
        """0 to 1; None where nothing happened or nobody asked."""
        if self.satisfied is None or self.tolerated is None or not self.requests:
            return None
        return (self.satisfied + self.tolerated / 2) / self.requests


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
    p50_us: float | None
    p95_us: float | None
    p99_us: float | None

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


class UnknownCursorError(ValueError):
    """A cursor that this store did not hand out."""


class StoreUnavailableError(Exception):
    """The store can take nothing just now (a full disk, a server that is away), or answers no
    question, or not this one (it needs more memory than there is); try again."""


class EventStore(ABC):
    """Where requests live. Writing is one method, all the rest only reads.

    Every method may be called from any thread. `append` is called by one writer at a time.
    """

    @abstractmethod
    def position(self) -> int:
        """The queue position up to which everything has been stored (0: nothing yet)."""

    @abstractmethod
    def has_batch(self, project_id: int, instance: str, number: int) -> bool:
        """Whether this batch of the instance (its wire id) is stored already."""

    @abstractmethod
    def append(self, block: "Block", position: int) -> None:
        """Store a block and the position that follows it, both or neither, durably.

        Raises StoreUnavailableError where waiting may help; any other error is the block's.
        """

    @abstractmethod
    def revision(self, project_id: int) -> int:
        """A number that changes whenever rows of the project were stored or deleted. Cheap."""

    @abstractmethod
    def summary(self, filter: Filter, thresholds: Thresholds | None = None) -> Stats:
        """With thresholds: the Apdex too, every request judged by its own operation's."""

    @abstractmethod
    def operations(
        self, filter: Filter, thresholds: Thresholds | None = None
    ) -> list[OperationStats]:
        """All operations with requests in the window, most total time first. Apdex as `summary`."""

    @abstractmethod
    def operations_of(
        self, project_ids: Sequence[int], start_us: int, end_us: int
    ) -> dict[int, list[OperationStats]]:
        """`operations` of many projects at once, for every id asked for; nothing is judged."""

    @abstractmethod
    def trends(
        self, filter: Filter, step_us: int, operations: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], list[int]]:
        """Requests a step of each of these (method, route), with the steps of `series`."""

    @abstractmethod
    def series(self, filter: Filter, step_us: int) -> list[Point]:
        """From the step that contains `start_us` to the one that contains `end_us - 1`.

        Where single requests are not kept any more, those of a minute are in its first step.
        """

    @abstractmethod
    def heatmap(self, filter: Filter, step_us: int) -> Heatmap:
        """How the latency of the requests spreads in every step."""

    @abstractmethod
    def request(self, project_id: int, id: int) -> RequestRow | None:
        """One request of the project; None where it is not, or not any more."""

    @abstractmethod
    def slowest(self, filter: Filter, limit: int) -> list[RequestRow]:
        """The requests that took longest."""

    @abstractmethod
    def requests(self, filter: Filter, limit: int, cursor: str | None = None) -> Page:
        """Newest first (by start). Raises UnknownCursorError."""

    @abstractmethod
    def ledger(self, filter: Filter) -> LedgerTotals:
        """Only `project_id`, the window and `environment` apply: clients count all they see."""

    @abstractmethod
    def pulses(
        self, project_ids: Sequence[int], start_us: int, end_us: int, steps: int
    ) -> dict[int, Pulse]:
        """One pulse for every id asked for."""

    @abstractmethod
    def last_seen_us(self, project_id: int) -> int | None:
        """When the project's newest batch arrived, ever; None: never."""

    @abstractmethod
    def environments(self, project_id: int) -> list[str]:
        """All names ever seen, sorted."""

    @abstractmethod
    def last_seen_by_environment(self, project_id: int) -> dict[str | None, int]:
        """When each environment was last heard; None: instances that name none."""

    @abstractmethod
    def project_ids(self) -> set[int]:
        """Every project that has rows."""

    @abstractmethod
    def rows(self) -> dict[str, int]:
        """About how many rows each tier has: "raw", "minutes", "hours". Cheap.

        Raises an error where the store does not answer.
        """

    @abstractmethod
    def statuses(self, filter: Filter) -> list[StatusStats]:
        """By status and outcome, the most frequent first."""

    @abstractmethod
    def measures(self, filter: Filter) -> dict[Measure, Spread]:
        """How each measure spreads; one that no request has is left out."""

    @abstractmethod
    def consumers(self, filter: Filter, limit: int) -> list[ConsumerStats]:
        """Who asked, as far as the app says it: those with the most total time."""

    @abstractmethod
    def instances(self, filter: Filter, limit: int) -> list[InstanceRow]:
        """The processes heard in the window, those heard last first. Of the other conditions
        `environment`, `release` and `instance` apply."""

    @abstractmethod
    def waits(self, filter: Filter) -> dict[str, Spread]:
        """How long requests waited in front of each instance (its wire id), in microseconds, where
        the app's proxy says it. Only single requests know: ask for short windows."""

    @abstractmethod
    def declared(self, project_id: int) -> list[DeclaredRoute]:
        """All routes ever declared, as far as kept; one declared again is still one."""

    @abstractmethod
    def last_called(self, project_id: int) -> dict[tuple[str, str], int]:
        """When each method and route was called last (start of the request), ever."""

    @abstractmethod
    def unmatched(self, filter: Filter, limit: int) -> list[UnmatchedPath]:
        """The paths that were asked for in vain, most requests first: those that matched no route
        (404 and the like), and those answered with 405 or 308.

        Whatever strangers send, it holds a bounded number of paths in memory. Every path with at
        least a thousandth of these requests is found, and its numbers are exact.
        """

    @abstractmethod
    def releases(self, project_id: int) -> list[str]:
        """All names ever seen, the newest first."""

    @abstractmethod
    def delete_project(self, project_id: int) -> None:
        """Forget every row of the project."""

    @abstractmethod
    def forget(self, now_us: int, kept: Mapping[int, Retention]) -> None:
        """Timed work: delete what is older than its project keeps it; others keep everything.

        Single requests go only when the rollups have them. The ledger of an instance goes as a
        whole, when it was silent for as long as hours are kept, and for `LEDGER_DAYS` at least.
        What processes say of themselves is kept like minutes, a route for as long as the ledger
        after it was declared last.
        """

    @abstractmethod
    def roll(self) -> None:
        """Timed work: add what came since the last time to the rollups. Answers do not change."""

    @abstractmethod
    def maintain(self, now_us: int) -> None:
        """Timed work: merge partial rollups of closed minutes, give space back."""

    @abstractmethod
    def close(self) -> None: ...
