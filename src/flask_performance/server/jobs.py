"""All timed work of the platform, in one table: words, function, period."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .clock import Clock
from .counts import JobState
from .store.base import EventStore, Projects, Retention

log = logging.getLogger(__name__)

#: How long `stop` waits for the job that runs (seconds).
STOP: Final = 2.0


@dataclass(frozen=True)
class Job:
    words: str
    run: Callable[[], None]
    seconds: float


class StrangersError(Exception):
    """The event store is not of these accounts."""


#: Ask the accounts how long which project's data is kept, and which projects there are.
KeptBy = Callable[[], Mapping[int, Retention]]
Existing = Callable[[], Projects]
#: Deletes the dead letters of projects that are gone.
DeleteLetters = Callable[[Projects], object]
Work = Callable[[], None]


def jobs(
    store: EventStore,
    save_counts: Work,
    kept: KeptBy,
    existing: Existing,
    delete_letters: DeleteLetters,
    look_at_disk: Work,
) -> Sequence[Job]:
    """The table of one process that does everything."""
    return (
        collector_job(save_counts),
        *_of_the_store(lambda: store, kept, existing, delete_letters),
        Job("look at the disk and keep its budget", look_at_disk, 10),
    )


def collector_job(save_counts: Work) -> Job:
    """What every collector does for itself."""
    return Job("save what the collector counted", save_counts, 2)


def scaled_jobs(
    store: Callable[[], EventStore],
    kept: KeptBy,
    existing: Existing,
    delete_letters: DeleteLetters,
    forget_claims: Work,
) -> Sequence[Job]:
    """The table of Celery's beat, which has no store at hand."""
    return (
        *_of_the_store(store, kept, existing, delete_letters),
        Job("forget which batches were claimed long ago", forget_claims, 600),
    )


def _of_the_store(
    store: Callable[[], EventStore],
    kept: KeptBy,
    existing: Existing,
    delete_letters: DeleteLetters,
) -> Sequence[Job]:
    clock = Clock()

    def forget() -> None:
        if clock.believed():
            store().forget(_now_us(), kept())

    def sweep_all() -> None:
        sweep(store(), existing)
        delete_letters(existing())

    return (
        Job("add new requests to the rollups", lambda: store().roll(), 10),
        Job("merge rollups and receipts", lambda: store().maintain(_now_us()), 60),
        Job("delete what is older than kept", forget, 600),
        Job("delete what deleted projects left", sweep_all, 60),
    )


def sweep(store: EventStore, existing: Existing) -> None:
    """Delete the rows of projects that are gone: a server may have stopped between the two.

    Raises StrangersError, with nothing deleted.
    """
    for project_id in left(store, existing):
        store.delete_project(project_id)


def left(store: EventStore, existing: Existing) -> set[int]:
    """The deleted projects that have rows. Raises StrangersError: whoever starts with new accounts,
    or mistypes their address, is not to lose everything within a minute."""
    stored = store.project_ids()  # asked first: a project made meanwhile is not among them
    known = existing()
    gone = stored - known.ids
    if gone and max(gone) > known.greatest:
        raise StrangersError(
            "The event store holds requests of projects that these accounts never had: the two do "
            "not belong together. Put the accounts back that belong to it (a backup has both), or "
            "give these accounts another event store. Nothing was deleted."
        )
    return gone


def _now_us() -> int:
    return time.time_ns() // 1000


class JobRunner:
    """One thread that runs every job when its period has passed; a failure is logged, not fatal."""

    def __init__(self, table: Sequence[Job]) -> None:
        self._table = table
        #: By the words of each job.
        self.states = {job.words: JobState() for job in table}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A job that takes longer goes on; closing the store waits for its transaction."""
        self._stopping.set()
        self._thread.join(STOP)

    def _run(self) -> None:
        due = {job: time.monotonic() + job.seconds for job in self._table}
        while not self._stopping.wait(max(0.0, min(due.values()) - time.monotonic())):
            for job in self._table:
                if time.monotonic() >= due[job]:
                    self._run_one(job)
                    due[job] = time.monotonic() + job.seconds

    def _run_one(self, job: Job) -> None:
        state, began = self.states[job.words], time.monotonic()
        state.last_run = time.time()
        try:
            job.run()
            state.last_success, state.failing_since = state.last_run, None
        except Exception:
            state.failures += 1
            state.failing_since = state.failing_since or state.last_run
            log.exception(
                "Timed work failed and runs again in %(seconds)g s: %(job)s",
                {"seconds": job.seconds, "job": job.words},
            )
        state.runs += 1
        state.seconds = time.monotonic() - began
