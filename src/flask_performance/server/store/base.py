"""The seam of the event store: what is asked of it. What travels through it stands in `shapes.py`.

Two homes are planned for the same contract: `duckdb` (embedded) and `clickhouse`. Times are UTC
microseconds since the epoch, durations microseconds, sizes bytes. Project ids are the accounts'
internal integers; who may see which project is decided before a question reaches the store.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .processes import DeclaredRoute, InstanceRow
from .shapes import (
    DAY_US,
    HOUR_US,
    LEDGER_DAYS,
    MEASURES,
    MINUTE_US,
    SECOND_US,
    SILENT_US,
    ConsumerStats,
    Filter,
    Heatmap,
    LedgerTotals,
    Measure,
    OperationStats,
    Page,
    Point,
    Projects,
    Pulse,
    Release,
    RequestRow,
    Retention,
    Spread,
    Stats,
    StatusStats,
    Thresholds,
    UnmatchedPath,
)

if TYPE_CHECKING:
    from pathlib import Path

    from .block import Block

__all__ = [
    "DAY_US",
    "HOUR_US",
    "LEDGER_DAYS",
    "MEASURES",
    "MINUTE_US",
    "SECOND_US",
    "SILENT_US",
    "ConsumerStats",
    "EventStore",
    "Filter",
    "Heatmap",
    "LedgerTotals",
    "Measure",
    "OperationStats",
    "Page",
    "Point",
    "Projects",
    "Pulse",
    "Release",
    "RequestRow",
    "Retention",
    "Spread",
    "Stats",
    "StatusStats",
    "StoreUnavailableError",
    "Thresholds",
    "UnknownCursorError",
    "UnmatchedPath",
]


class UnknownCursorError(ValueError):
    """A cursor that this store did not hand out."""


class StoreUnavailableError(Exception):
    """The store can take nothing just now (a full disk, a server that is away), or answers no
    question, or not this one (it needs more memory than there is); try again."""


class EventStore(ABC):
    """Where requests live. Writing is one method, all the rest only reads.

    Every method may be called from any thread. `append` is called by one writer at a time in the
    embedded home; in the other by any number of processes, but with one block by one at a time.
    """

    @abstractmethod
    def position(self) -> int:
        """The journal's position up to which everything has been stored (0: nothing yet, or a home
        that knows blocks by their ids)."""

    @abstractmethod
    def has_batch(self, project_id: int, instance: str, number: int) -> bool:
        """Whether this batch of the instance (its wire id) is stored already."""

    @abstractmethod
    def append(self, block: "Block", position: int | None = None) -> None:
        """Store a block, all of it or nothing, durably, and once: the embedded home with the
        position that follows it in its journal, the other one under the block's id.

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
    def series(
        self, filter: Filter, step_us: int, thresholds: Thresholds | None = None
    ) -> list[Point]:
        """From the step that contains `start_us` to the one that contains `end_us - 1`.

        With thresholds: the Apdex of each, as `summary`; a threshold is met within 1 %. Where
        single requests are not kept any more, those of a minute are in its first step.
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

    def heard_before(self, project_id: int, at_us: int) -> bool:
        """Whether requests of the project had arrived, or been sent, before a moment."""
        return self.ledger(Filter(project_id=project_id, start_us=0, end_us=at_us)).seen > 0

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
        """Who asked, as far as the app says it: those with the most total time.

        In windows of up to a day all are counted. In longer ones a home may leave out what a
        consumer did in hours in which twenty others took more time of the same operation.
        """

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
        least two thousandths of these requests is found. Its number is exact where strangers did
        not try a thousand paths at once; else it may be too low, by a thousandth of them at most.
        """

    @abstractmethod
    def releases(self, project_id: int) -> list[str]:
        """All names ever seen, the newest first."""

    @abstractmethod
    def first_heard(self, filter: Filter, limit: int) -> list[Release]:
        """The releases that were heard for the first time in the window, the newest first.

        Of the other conditions only `environment` applies: the first time there. Cheap.
        """

    @abstractmethod
    def export(self, project_id: int, start_us: int, end_us: int, file: "Path") -> Iterator[float]:
        """Write a project's requests of a window to a file; how far it is, in percent.

        The file's name ends in .parquet or .csv. Raises StoreUnavailableError.
        """

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
        """Timed work: merge partial rollups, arrange what is stored so that it takes less room and
        is found sooner. Answers do not change, but within the bounds that they state."""

    @abstractmethod
    def close(self) -> None: ...
