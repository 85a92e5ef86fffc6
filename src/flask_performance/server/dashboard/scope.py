"""What the panels of one rendering share: project, state, moment; each question is asked once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

# That of functools has a lock up to Python 3.11, one for all scopes: a slow question of one person
# would hold up everybody's.
from werkzeug.utils import cached_property

from flask_performance.server.accounts.intake import Intake, intake_of
from flask_performance.server.hints import Routes, routes_of
from flask_performance.server.store import living
from flask_performance.server.store.base import (
    DAY_US,
    ConsumerStats,
    EventStore,
    Heatmap,
    LedgerTotals,
    Measure,
    OperationStats,
    Page,
    Point,
    Pulse,
    Release,
    RequestRow,
    Spread,
    Stats,
    StatusStats,
    Thresholds,
    UnmatchedPath,
)
from flask_performance.server.store.declared import Route, routes
from flask_performance.server.store.processes import InstanceRow
from flask_performance.server.store.verdict import Sample
from flask_performance.server.store.watched import first_us, seconds_since

from .chips import Chip, chips
from .state import NO_TABLE, State
from .window import DAY, SECOND_US, Window, now_us, step_seconds

LATEST_REQUESTS = 20
#: Of the page of requests.
PAGE_OF_REQUESTS = 50
#: Of the slowest, and of the failed ones of an operation.
FIRST_REQUESTS = 10
FIRST_CONSUMERS = 10
UNMATCHED_PATHS = 200
#: Of those that were first heard in a window.
MOST_RELEASES = 500
#: A step that holds every window; whole days, so that rollups answer it.
ALL_IN_ONE_US = 10**7 * DAY_US
#: What stands behind a project's path.
REQUESTS_PAGE = "/requests"
OPERATION_PAGE = "/operations"
UNMATCHED_PAGE = "/unmatched"
INSTANCES_PAGE = "/instances"
ROUTES_PAGE = "/routes"
FILES = "/files"
#: A sparkline has at most so many.
SPARK_STEPS = 40
#: A rate over less time than this (seconds) is chance.
RATED_AFTER = 10


@dataclass(frozen=True)
class Project:
    """The little of a project that pages show; a plain value, free of the accounts' session."""

    id: int  # the store's
    public_id: str
    name: str
    team: str
    dsn: str | None  # None: every key is revoked
    time_zone: str | None = None  # None: each person's own
    thresholds: Thresholds | None = None

    @property
    def path(self) -> str:
        return f"/projects/{self.public_id}"


class Scope:
    """Answers of the store for one rendering. Two panels that ask the same ask the store once."""

    def __init__(
        self,
        store: EventStore,
        project: Project,
        state: State,
        at_us: int | None = None,
        page: str = "",
    ) -> None:
        self.store = store
        self.project = project
        #: What stands behind the project's path in the page's own.
        self.page = page
        self.state = state
        self.now_us = now_us() if at_us is None else at_us
        self.window: Window = state.window(self.now_us)
        self.filter = state.filter(project.id, self.window)
        self._samples: dict[str, Sample] = {}

    def link(self, **changes: object) -> str:
        """The page's URL with changes to its state."""
        return self.path + self.state.query(**changes)

    @property
    def path(self) -> str:
        return self.project.path + self.page

    @property
    def chips(self) -> list[Chip]:
        """The filters that are set; an operation's own page is no filter."""
        return chips(self.state, own=("method", "route") if self.page == OPERATION_PAGE else ())

    def overview_link(self) -> str:
        """The URL of the whole project in the same time."""
        return self.project.path + self.state.query(**(NO_TABLE | {"method": None, "route": None}))

    def operation_link(self, method: str, route: str) -> str:
        """The URL of the page of an operation."""
        query = self.state.query(**(NO_TABLE | {"method": method, "route": route}))
        return f"{self.project.path}{OPERATION_PAGE}{query}"

    def request_link(self, id: int) -> str:
        """The permalink of one request."""
        return f"{self.project.path}{REQUESTS_PAGE}/{id}"

    def download_link(self, kind: str, **changes: object) -> str:
        """The URL of the requests as a file."""
        return f"{self.project.path}{REQUESTS_PAGE}.{kind}{self.state.query(**changes)}"

    def file_link(self, panel: str, kind: str) -> str:
        """The URL of what a panel shows as a file."""
        return f"{self.project.path}{FILES}/{panel}.{kind}{self.state.query()}"

    def requests_link(self, **changes: object) -> str:
        """The URL of the requests behind what this page shows."""
        query = self.state.query(**(NO_TABLE | changes))
        return f"{self.project.path}{REQUESTS_PAGE}{query}"

    @cached_property
    def thresholds(self) -> Thresholds | None:
        """What Apdex is judged by here: where one operation is meant, by its own threshold."""
        found, state = self.project.thresholds, self.state
        if found is None or state.method is None or state.route is None:
            return found
        own = {(method, route): us for method, route, us in found.own}
        return Thresholds(own.get((state.method, state.route), found.us))

    @cached_property
    def summary(self) -> Stats:
        return self.store.summary(self.filter, self.thresholds)

    @cached_property
    def total(self) -> int:
        """How many requests the window has: those of the charts but what they begin earlier with.

        Where only single requests know, these are read once for both.
        """
        grid = self.window.grid
        earlier = replace(grid, end_us=self.window.start_us)
        before = self.store.summary(self.state.filter(self.project.id, earlier))
        return sum(point.requests for point in self.series) - before.requests

    @cached_property
    def before(self) -> Stats:
        """The summary of the period before."""
        filter = self.state.filter(self.project.id, self.window.before)
        return self.store.summary(filter, self.thresholds)

    @cached_property
    def distribution_before(self) -> Heatmap:
        """The latency histogram of the period before, in one step."""
        return self.store.heatmap(
            self.state.filter(self.project.id, self.window.before), ALL_IN_ONE_US
        )

    def sample_of(self, release: str) -> Sample:
        """The requests of one release in the window."""
        if release not in self._samples:
            filter = replace(self.state, release=release).filter(self.project.id, self.window)
            histogram = self.store.heatmap(filter, ALL_IN_ONE_US)
            self._samples[release] = Sample(self.store.summary(filter), histogram)
        return self._samples[release]

    @cached_property
    def young_us(self) -> int | None:
        """When the project's first data began, if that lies in the window; None: earlier."""
        return None if self.before.requests else first_us(self.store, self.filter)

    @property
    def watched_seconds(self) -> float:
        """How much of the window the app was watched for: what its counts are divided by."""
        if self.young_us is None:
            return self.window.seconds
        return seconds_since(self.young_us, self.window.end_us)

    @cached_property
    def whole(self) -> Stats:
        """The summary without regard to method and route: what an operation has its share of."""
        if self.state.method is None and self.state.route is None:
            return self.summary
        whole = replace(self.state, method=None, route=None)
        return self.store.summary(whole.filter(self.project.id, self.window))

    @cached_property
    def operations(self) -> list[OperationStats]:
        return self.store.operations(self.filter, self.thresholds)

    def trends(self, operations: Sequence[OperationStats]) -> dict[tuple[str, str], list[int]]:
        """Requests of each over time, in the few steps of a sparkline that are complete."""
        step_us = step_seconds(self.window.seconds, SPARK_STEPS) * SECOND_US
        start_us, end_us = (
            at_us // step_us * step_us for at_us in (self.window.start_us, self.window.end_us)
        )
        whole = self.state.filter(self.project.id, Window(start_us, end_us, step_us))
        return self.store.trends(whole, step_us, [(one.method, one.route) for one in operations])

    @cached_property
    def series(self) -> list[Point]:
        grid = self.window.grid
        filter = self.state.filter(self.project.id, grid)
        return self.store.series(filter, grid.step_us, self.thresholds)

    @cached_property
    def heatmap(self) -> Heatmap:
        grid = self.window.grid
        return self.store.heatmap(self.state.filter(self.project.id, grid), grid.step_us)

    @cached_property
    def distribution(self) -> Heatmap:
        """The latency histogram of the whole window, in one step."""
        return self.store.heatmap(self.filter, ALL_IN_ONE_US)

    @cached_property
    def statuses(self) -> list[StatusStats]:
        return self.store.statuses(self.filter)

    @cached_property
    def measures(self) -> dict[Measure, Spread]:
        return self.store.measures(self.filter)

    @cached_property
    def consumers(self) -> list[ConsumerStats]:
        return self.store.consumers(self.filter, FIRST_CONSUMERS)

    @cached_property
    def unmatched(self) -> list[UnmatchedPath]:
        return self.store.unmatched(self.filter, UNMATCHED_PATHS)

    @cached_property
    def routes(self) -> Routes:
        """What the app serves in this time, whatever else the page is filtered by."""
        everything = State(environment=self.state.environment)
        filter = everything.filter(self.project.id, self.window)
        called = self.store.operations(filter)
        declared = self.store.declared(self.project.id)
        return routes_of(
            [(one.method, one.route, one.requests) for one in called]
            + [(one.method, one.route, 0) for one in declared]
        )

    @cached_property
    def slowest(self) -> list[RequestRow]:
        return self.store.slowest(self.filter, FIRST_REQUESTS)

    @cached_property
    def failed(self) -> list[RequestRow]:
        """The latest errors."""
        errors = replace(self.state, errors=True).filter(self.project.id, self.window)
        return self.store.requests(errors, FIRST_REQUESTS).rows

    @cached_property
    def latest(self) -> Page:
        return self.store.requests(self.filter, LATEST_REQUESTS)

    @cached_property
    def rows(self) -> Page:
        """One page of requests, from the state's cursor on. Raises UnknownCursorError."""
        return self.store.requests(self.filter, PAGE_OF_REQUESTS, self.state.before)

    @cached_property
    def ledger(self) -> LedgerTotals:
        return self.store.ledger(self.filter)

    @cached_property
    def releases(self) -> list[str]:
        return self.store.releases(self.project.id)

    @cached_property
    def first_heard(self) -> list[Release]:
        """The releases first heard in the time of the charts, newest first."""
        filter = self.state.filter(self.project.id, self.window.grid)
        return self.store.first_heard(filter, MOST_RELEASES)

    @cached_property
    def instances(self) -> list[InstanceRow]:
        """The processes heard in the window, those heard last first."""
        return self.store.instances(self.filter, living.MOST)

    @cached_property
    def waits(self) -> dict[str, Spread]:
        """How long requests waited in front of each of them, lately."""
        return living.waits(self.store, self.filter)

    @cached_property
    def declared_routes(self) -> list[Route]:
        """All that are declared or called, by rule."""
        return routes(self.store, self.filter)

    @cached_property
    def intake(self) -> Intake:
        """What the collector took and refused."""
        return intake_of(self.project.id)

    @cached_property
    def environments(self) -> list[str]:
        return self.store.environments(self.project.id)

    @cached_property
    def newest_us(self) -> int | None:
        """When the project's newest data arrived; None: it never heard from its app."""
        return self.store.last_seen_us(self.project.id)

    @property
    def seen(self) -> bool:
        """Whether the project ever heard from its app."""
        return self.newest_us is not None


class ProjectsScope:
    """What the list of projects shows: the last 15 minutes of each."""

    seconds = 15 * 60
    steps = 60

    def __init__(
        self,
        store: EventStore,
        projects: Sequence[Project],
        at_us: int | None = None,
        usual: dict[int, Pulse] | None = None,
    ) -> None:
        """`usual` as another rendering found it a moment ago."""
        self.store = store
        self.projects = projects
        self.now_us = now_us() if at_us is None else at_us
        self._usual = usual

    @property
    def window(self) -> Window:
        start_us = self.now_us - self.seconds * SECOND_US
        return Window(start_us, self.now_us, self.seconds * SECOND_US // self.steps)

    @cached_property
    def usual(self) -> dict[int, Pulse]:
        """Each project in the day before: what "slower than usual" is told by."""
        if self._usual is not None:
            return self._usual
        start_us = self.window.start_us
        return self.store.pulses(self._ids, start_us - DAY * SECOND_US, start_us, 1)

    @cached_property
    def operations(self) -> dict[int, list[OperationStats]]:
        return self.store.operations_of(self._ids, self.window.start_us, self.window.end_us)

    @property
    def _ids(self) -> list[int]:
        return [project.id for project in self.projects]

    @cached_property
    def pulses(self) -> dict[int, Pulse]:
        window = self.window
        return self.store.pulses(self._ids, window.start_us, window.end_us, self.steps)

    @property
    def newest_us(self) -> int | None:
        """When any of them was heard last; None: never."""
        seen = [pulse.last_seen_us for pulse in self.pulses.values() if pulse.last_seen_us]
        return max(seen, default=None)

    def file_link(self, panel: str, kind: str) -> str:
        """The URL of the list as a file."""
        return f"/{panel}.{kind}"
