"""What an event store should answer, computed the naive way from all it was given."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flask_performance.server.store.base import Filter, Stats
from flask_performance.server.store.block import Block
from flask_performance.wire import OUTCOMES

from .builders import NOON_US, block

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
ROUTES = ("/", "/users/<int:id>", "/slow", "")
METHODS = ("GET", "POST", "DELETE")
STATUSES = (101, 200, 200, 200, 204, 301, 404, 404, 500, 503)
ENVIRONMENTS = ("production", "staging", None)


@dataclass(frozen=True)
class Row:
    """One request as it was given."""

    project_id: int
    environment: str | None
    start_us: int
    duration_us: int
    method: str
    route: str
    status: int
    outcome: int
    path: str

    @property
    def error(self) -> bool:
        return self.status >= 500 or OUTCOMES[self.outcome] == "failed"

    def matches(self, filter: Filter) -> bool:
        return (
            self.project_id == filter.project_id
            and filter.start_us <= self.start_us < filter.end_us
            and filter.method in (None, self.method)
            and filter.route in (None, self.route)
            and filter.environment in (None, self.environment)
            and _status_matches(filter.status, self.status)
            and filter.outcome in (None, OUTCOMES[self.outcome])
            and (self.error or not filter.errors)
            and (filter.duration_from_us or 0) <= self.duration_us
            and (filter.duration_to_us is None or self.duration_us < filter.duration_to_us)
            and (filter.path or "") in self.path
            and filter.instance in (None, f"{self.project_id}-{self.environment}")
        )


def _status_matches(wanted: str | None, status: int) -> bool:
    if wanted is None:
        return True
    return str(status)[0] == wanted[0] if wanted.endswith("xx") else str(status) == wanted


def quantile(durations: Iterable[int], percent: int) -> int:
    """The exact duration of rank ceil(n * percent / 100), counted from 1."""
    ordered = sorted(durations)
    return ordered[-(-len(ordered) * percent // 100) - 1]


def assert_stats(found: Stats | Any, rows: list[Row]) -> None:
    """Counts and sums exactly; quantiles within 1 % (durations under 1 µs are "about 1")."""
    assert found.requests == len(rows)
    assert found.errors == sum(row.error for row in rows)
    assert found.duration_us == sum(row.duration_us for row in rows)
    assert_quantiles(found, rows)


def assert_quantiles(found: Any, rows: list[Row]) -> None:
    for percent, answer in ((50, found.p50_us), (95, found.p95_us), (99, found.p99_us)):
        if not rows:
            assert answer is None
            continue
        exact = quantile((row.duration_us for row in rows), percent)
        assert abs(answer - exact) <= max(1.0, exact * 0.010_000_1), (percent, answer, exact)


@dataclass
class World:
    """Makes random batches, hands them to a store, and remembers every row."""

    seed: int
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.position = 0
        self.numbers: Counter[tuple[int, str]] = Counter()
        self.sent: Counter[tuple[int, str]] = Counter()

    def next_position(self) -> int:
        self.position += 1
        return self.position

    def batch(self, count: int, project_id: int | None = None, late_us: int = 0) -> Block:
        """A numbered batch of random requests in the three hours before noon (or later)."""
        project_id = project_id or self.random.choice((1, 2))
        environment = self.random.choice(ENVIRONMENTS)
        wire_id = f"{project_id}-{environment}"
        rows = [self._row(project_id, environment, late_us) for _ in range(count)]
        self.rows += rows
        self.numbers[project_id, wire_id] += 1
        self.sent[project_id, wire_id] += count
        return block(
            [_columns(row) for row in rows],
            project_id=project_id,
            wire_id=wire_id,
            environment=environment,
            number=self.numbers[project_id, wire_id],
            sent_total=self.sent[project_id, wire_id],
            received_us=NOON_US,
        )

    def _row(self, project_id: int, environment: str | None, late_us: int) -> Row:
        choice = self.random.choice
        return Row(
            project_id=project_id,
            environment=environment,
            start_us=NOON_US + late_us - self._before(),
            duration_us=int(self.random.lognormvariate(9, 3)),
            method=choice(METHODS),
            route=choice(ROUTES),
            status=choice(STATUSES),
            outcome=choice((0, 0, 0, 0, 1, 2)),
            path=f"/{self.random.randrange(10**9)}",
        )

    def _before(self) -> int:
        """Up to three hours; often exactly at, or beside, the edge of a minute or an hour."""
        if self.random.random() < 0.2:
            width = self.random.choice((MINUTE_US, HOUR_US))
            return self.random.randrange(1, 3 * HOUR_US // width) * width + self._beside()
        return self.random.randrange(1, 3 * HOUR_US)

    def _beside(self) -> int:
        return self.random.choice((-1, 0, 0, 1))

    def filter(self) -> Filter:
        """A random question; its window begins and ends at odd and at even places."""
        first, last = sorted((self._before(), self._before()), reverse=True)
        choice = self.random.choice
        return Filter(
            project_id=choice((1, 2)),
            start_us=NOON_US - first,
            end_us=NOON_US - last,
            method=choice((None, None, None, *METHODS, "PUT")),
            route=choice((None, None, None, *ROUTES, "/nowhere")),
            status=choice((None, None, None, "404", "2xx", "5xx", "204", "418")),
            environment=choice((None, None, "production", "staging", "nowhere")),
            outcome=choice((*(None,) * 5, *OUTCOMES)),
            errors=choice((False, False, False, True)),
            **self._single(),
        )

    def _single(self) -> dict[str, Any]:
        """Sometimes a condition that only single requests can answer."""
        least, most = sorted(int(self.random.lognormvariate(9, 3)) for _ in range(2))
        return self.random.choice(
            (
                *({},) * 6,
                {"duration_from_us": least},
                {"duration_from_us": least, "duration_to_us": most},
                {"path": str(self.random.randrange(100))},
                {"instance": "1-production"},
            )
        )

    def matching(self, filter: Filter) -> list[Row]:
        return [row for row in self.rows if row.matches(filter)]


def _columns(row: Row) -> dict[str, object]:
    return {
        "start_us": row.start_us,
        "duration_us": row.duration_us,
        "operation": f"{row.method} {row.route}",
        "status": row.status,
        "outcome": row.outcome,
        "path": row.path,
    }
