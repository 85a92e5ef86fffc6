"""`/metrics`: what the parts counted, in the text of OpenMetrics or in Prometheus' older one.

The library is imported by the first reader: a server that nobody measures needs no memory for it.
"""

import logging
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, Any, Final

from flask_performance.server.counts import (
    Collected,
    Depth,
    Failing,
    Histogram,
    Ingested,
    JobState,
)

from .families import FAMILIES, PREFIX, Family

if TYPE_CHECKING:
    from prometheus_client import Metric

log = logging.getLogger(__name__)

#: What becomes of a message: it is stored; a worker gives it back, because a server is away; it
#: comes again, because one gave it back or died.
WORKER_EVENTS: Final = ("stored", "given back", "came again")
OPEN_METRICS: Final = "application/openmetrics-text"

#: Values by the values of a family's labels.
Values = Mapping[tuple[str, ...], float | Histogram]
Found = Iterator[tuple[str, Values]]
#: What workers counted, by name and label: how many, and when the last came.
Told = Mapping[tuple[str, str], tuple[int, float]]


@dataclass(frozen=True)
class Sources:
    """Where the numbers come from."""

    data: Path
    #: Databases by name.
    files: Mapping[str, Path]
    collected: Collected
    #: Every reason that the collector may refuse for.
    reasons: tuple[str, ...]
    depth: Callable[[], Depth]
    commit_seconds: Histogram
    dead_letters: Callable[[], int]
    #: None: in another process, as all below that may be.
    ingested: Ingested | None
    rows: Callable[[], Mapping[str, int]] | None
    questions: Mapping[str, Histogram]
    #: Watchers and views.
    live: Callable[[], tuple[int, int]] | None
    #: Sign-ins that failed by kind, and how many were throttled.
    sign_ins: Callable[[], tuple[Mapping[str, int], int]] | None
    jobs: Mapping[str, JobState]
    #: None: there are no workers.
    workers: Callable[[], Told] | None
    #: Lines of the log by level, and how many were left out.
    lines: Callable[[], tuple[Mapping[str, int], int]]


class Metrics:
    """The numbers of one server, whenever somebody reads them."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def text(
        self, parts: Mapping[str, Failing | None], accept: str, began: float
    ) -> tuple[bytes, str]:
        """The answer and its content type. `began`: when it was asked for (perf_counter)."""
        from prometheus_client import CollectorRegistry, ProcessCollector, exposition
        from prometheus_client.openmetrics import exposition as openmetrics

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once(self._families(parts, began)))
        ProcessCollector(registry=registry)
        if OPEN_METRICS in accept or "text/plain" not in accept:
            body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
            return body, openmetrics.CONTENT_TYPE_LATEST
        return exposition.generate_latest(registry), exposition.CONTENT_TYPE_LATEST

    def _families(self, parts: Mapping[str, Failing | None], began: float) -> Iterator["Metric"]:
        by_name = {family.name: family for family in FAMILIES}
        for name, values in self._found(parts):
            yield _metric(by_name[name], values)
        yield _metric(by_name["metrics_duration_seconds"], {(): time.perf_counter() - began})

    def _found(self, parts: Mapping[str, Failing | None]) -> Found:
        yield "build", {(version("flask-performance"), platform.python_version()): 1}
        yield "part_ready", {(name,): int(failing is None) for name, failing in parts.items()}
        told = self._told()
        for measure in (
            self._of_the_collector, partial(self._of_the_queue, told), self._of_ingest,
            partial(self._of_workers, told), self._of_the_store, self._of_people,
            partial(self._of_jobs, told), self._of_the_log,
        ):  # fmt: skip
            try:
                yield from list(measure())
            except Exception:  # one part that fails hides no other
                log.exception("Some metrics cannot be read")

    def _told(self) -> Told:
        """What workers counted; nothing where there are none, or their database is away."""
        if self._sources.workers is None:
            return {}
        try:
            return self._sources.workers()
        except Exception:
            log.exception("The metrics of workers cannot be read")
            return {}

    def _of_the_collector(self) -> Found:
        collected = self._sources.collected
        yield "accepted_batches", {(): collected.batches}
        yield "accepted_requests", {(): collected.requests}
        refused = {**dict.fromkeys(self._sources.reasons, 0), **collected.refused}
        yield "refused_batches", {(reason,): count for reason, count in refused.items()}

    def _of_the_queue(self, told: Told) -> Found:
        depth = self._sources.depth()
        oldest = depth.oldest_us
        if oldest is not None and (taken := told.get(("received_us", ""))):
            oldest = max(oldest, taken[0])  # a broker hands out in order: the rest came later
        age = 0.0 if oldest is None else max(0.0, time.time() - oldest / 1_000_000)
        yield "queue_batches", {(): depth.batches}
        yield "queue_bytes", {(): depth.bytes}
        yield "queue_limit_bytes", {(): depth.limit}
        yield "queue_oldest_age_seconds", {(): age}
        yield "queue_commit_seconds", {(): self._sources.commit_seconds}
        yield "dead_letters", {(): self._sources.dead_letters()}

    def _of_ingest(self) -> Found:
        ingested = self._sources.ingested
        if ingested is None:
            return
        yield "stored_blocks", {(): ingested.blocks}
        yield "stored_batches", {(): ingested.batches}
        yield "stored_requests", {(): ingested.requests}
        yield "stored_last_timestamp_seconds", {} if ingested.last is None else {(): ingested.last}
        yield "block_requests", {(): ingested.block_requests}
        yield "block_seconds", {(): ingested.block_seconds}
        yield "ingest_lag_seconds", {(): ingested.lag_seconds}

    def _of_workers(self, told: Told) -> Found:
        if not told:
            return
        for name in ("stored_blocks", "stored_batches", "stored_requests"):
            yield name, {(): told.get((name, ""), (0, 0.0))[0]}
        last = told.get(("messages", "stored"))
        yield "stored_last_timestamp_seconds", {} if last is None else {(): last[1]}
        yield (
            "worker_messages",
            {(event,): told.get(("messages", event), (0, 0.0))[0] for event in WORKER_EVENTS},
        )

    def _of_the_store(self) -> Found:
        sources = self._sources
        yield "store_question_seconds", {(name,): one for name, one in sources.questions.items()}
        yield "file_bytes", {(name,): size_of(file) for name, file in sources.files.items()}
        yield "disk_free_bytes", {(): disk_usage(sources.data).free}
        if sources.rows is not None:
            yield "store_rows", {(tier,): rows for tier, rows in sources.rows().items()}

    def _of_people(self) -> Found:
        if self._sources.live is None or self._sources.sign_ins is None:
            return
        watchers, views = self._sources.live()
        yield "live_watchers", {(): watchers}
        yield "live_views", {(): views}
        failures, throttled = self._sources.sign_ins()
        yield "sign_in_failures", {(kind,): count for kind, count in failures.items()}
        yield "sign_ins_throttled", {(): throttled}

    def _of_jobs(self, told: Told) -> Found:
        jobs = {**self._sources.jobs, **_jobs_of_workers(told)}
        yield "job_runs", {(words,): job.runs for words, job in jobs.items()}
        yield "job_failures", {(words,): job.failures for words, job in jobs.items()}
        for name in ("last_run", "last_success"):
            times = {words: getattr(job, name) for words, job in jobs.items()}
            known: Values = {(words,): at for words, at in times.items() if at is not None}
            yield f"job_{name}_timestamp_seconds", known
        own = self._sources.jobs.items()
        yield "job_duration_seconds", {(words,): job.seconds for words, job in own}

    def _of_the_log(self) -> Found:
        lines, left_out = self._sources.lines()
        yield "log_lines", {(level,): count for level, count in lines.items()}
        yield "log_left_out", {(): left_out}


def _jobs_of_workers(told: Told) -> dict[str, JobState]:
    """The timed work that workers do, whichever of them."""
    found = {}
    for (name, words), (runs, at) in told.items():
        if name == "job_runs":
            failures, _ = told.get(("job_failures", words), (0, 0.0))
            _, succeeded = told.get(("job_successes", words), (0, None))
            found[words] = JobState(runs, failures, last_run=at, last_success=succeeded)
    return found


class _Once:
    """What the registry asks for its metrics."""

    def __init__(self, families: Iterator["Metric"]) -> None:
        self._families = families

    def collect(self) -> Iterator["Metric"]:
        return self._families


def size_of(database: Path) -> int:
    """The bytes of a database and of the files beside it (`-wal`, `.wal`, `-shm`)."""
    files = database.parent.glob(f"{database.name}*")
    return sum(file.stat().st_size for file in files if not file.name.endswith(".damaged"))


def _metric(family: Family, values: Values) -> "Metric":
    from prometheus_client import core

    kinds: dict[str, Any] = {
        "counter": core.CounterMetricFamily,
        "gauge": core.GaugeMetricFamily,
        "histogram": core.HistogramMetricFamily,
    }
    name = PREFIX + family.name
    if family.kind == "info":
        info = core.InfoMetricFamily(name, family.meaning)
        for labels in values:
            info.add_metric((), dict(zip(family.labels, labels, strict=True)))
        return info
    unit = {"unit": family.unit} if family.unit else {}
    metric: Any = kinds[family.kind](name, family.meaning, labels=family.labels, **unit)
    for labels, value in values.items():
        if isinstance(value, Histogram):
            buckets, total = value.read()
            named = [(str(float(bound)) if bound != float("inf") else "+Inf", count)
                     for bound, count in buckets]  # fmt: skip
            metric.add_metric(labels, named, total)
        else:
            metric.add_metric(labels, value)
    return metric  # type: ignore[no-any-return]
