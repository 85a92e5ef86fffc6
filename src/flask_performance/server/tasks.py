"""Celery's door to the platform: `celery -A flask_performance.server.tasks worker`, and `… beat`.

Any number of workers store what the collectors acknowledged; one beat has them do the timed work of
`jobs.py`. Everything is read from the environment, as `serve` does, when Celery asks for `app`.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Final

from celery import Celery
from celery.exceptions import Reject
from celery.signals import setup_logging, worker_process_shutdown
from flask import Flask
from sqlalchemy import func, select

from . import accounts, logs
from .accounts.claims import Claims
from .accounts.database import AWAY, open_engine, upgrade_at, url
from .accounts.letters import Letters
from .accounts.models import Project
from .accounts.tallies import Tallies
from .asked import existing, kept
from .ingest.messages import MessageIngest
from .jobs import Job, scaled_jobs
from .queue.base import Envelope
from .queue.celery import TASK, broker_queue, celery_app, unpacked
from .queue.dead_letters import MAX_BURIED, tell_trimmed
from .settings import LogFormat, Settings, SettingsError
from .store.base import Projects, StoreUnavailableError
from .store.open import open_store

log = logging.getLogger(__name__)

#: Timed work waits in a queue of its own, so that no backlog of requests delays it.
TIMED: Final = "flask_performance_timed"
#: After a task that had to give its message back (seconds).
REST: Final = 1.0
#: What is told of messages that are stored, as `counts.Ingested` has it.
STORED: Final = ("blocks", "batches", "requests")
#: Of a job that still runs in another worker: its advisory lock is this number and its place.
LOCKS: Final = 0x666C_7000


def __getattr__(name: str) -> Celery:
    """`app`, for `celery -A`; importing this module alone reads no environment."""
    if name == "app":
        return _app()
    raise AttributeError(name)


@cache
def _app() -> Celery:
    try:
        settings = Settings.read()
        return make_app(settings)
    except SettingsError as error:
        raise SystemExit(f"Error: {error}") from error


def make_app(settings: Settings) -> Celery:
    """The Celery app of workers and beat. Raises SettingsError."""
    if settings.queue_url is None:
        raise SettingsError(
            "FLASK_PERFORMANCE_QUEUE_URL is not set: workers are for a broker. Without one, "
            "`flask-performance serve` does all the work itself."
        )
    app = celery_app(settings.queue_url)
    app.conf.task_queues.append(broker_queue(TIMED, settings.queue_url))
    parts = cache(partial(Worker, settings))  # made by the process that works, not by its parent

    # Not shared: an app that is made beside this one has tasks of its own.
    @app.task(name=TASK, bind=True, shared=False)
    def store(task: Any, packed: Sequence[Sequence[Any]]) -> None:
        with _given_back():
            again = bool((task.request.delivery_info or {}).get("redelivered"))
            parts().store(str(task.request.id), unpacked(packed), again=again)

    @app.task(name="flask_performance.timed", acks_late=False, shared=False)
    def timed(words: str) -> None:
        parts().timed(words)

    app.conf.beat_schedule = {
        job.words: {
            "task": timed.name, "schedule": job.seconds, "args": (job.words,),
            # What no worker took until it is due again is dropped: the next one does its work.
            "options": {"queue": TIMED, "expires": job.seconds},
        }
        for job in scaled_jobs(*(_of_workers,) * 5)
    }  # fmt: skip
    _close_with_their_process(parts)
    app.conf.beat_scheduler = "celery.beat:Scheduler"  # keeps no file: the periods are short
    _configure_logs(settings)
    return app


@contextmanager
def _given_back() -> Iterator[None]:
    """Whatever is in the way, the broker has the message again: Celery would take a task that
    failed for done, and what apps were told is kept would be lost."""
    try:
        yield
    except Exception as error:
        if isinstance(error, (StoreUnavailableError, SettingsError, *AWAY)):
            log.warning("A message waits at the broker: %(error)s", {"error": error})
        else:
            log.exception("A message waits at the broker: it cannot even be set aside")
        time.sleep(REST)
        raise Reject(str(error), requeue=True) from error


def _close_with_their_process(parts: Any) -> None:
    @worker_process_shutdown.connect(weak=False)
    def close(**_: object) -> None:
        if parts.cache_info().currsize:
            parts().close()


def _of_workers(*_: object) -> Any:
    """Beat knows the table, and does none of its work."""
    raise NotImplementedError


def _configure_logs(settings: Settings) -> None:
    @setup_logging.connect(weak=False)
    def configure(**_: object) -> None:
        logs.configure(settings.log_level, as_json=settings.log is LogFormat.JSON)


class Worker:
    """What one process of a worker works with. Raises SettingsError."""

    def __init__(self, settings: Settings) -> None:
        upgrade_at(url(settings))
        self._engine = open_engine(settings)
        self._store = open_store(settings)
        claims = Claims(self._engine)
        self._letters = Letters(self._engine)
        self._tallies = Tallies(self._engine)
        self._ingest = MessageIngest(self._store, claims, self._bury, self._exists, AWAY)
        web = Flask(__name__)
        accounts.init_app(web, settings)
        self._jobs = scaled_jobs(
            lambda: self._store, partial(kept, web), partial(existing, web), self._delete_letters,
            claims.forget,
        )  # fmt: skip

    def store(self, message: str, envelopes: list[Envelope], *, again: bool = False) -> None:
        """A message of the collectors; `again`: the broker has handed it out before."""
        if again:
            self._tallies.add("messages", "came again")
        counts = self._ingest.counts
        before = {name: getattr(counts, name) for name in STORED}
        try:
            self._ingest.store(message, envelopes)
        except Exception:
            self._tallies.add("messages", "given back")
            raise
        self._tallies.add("messages", "stored")
        self._tallies.reach("received_us", envelopes[0].received_us)
        for name in STORED:
            self._tallies.add(f"stored_{name}", more=getattr(counts, name) - before[name])

    def timed(self, words: str) -> None:
        """A job of the table, unless another worker is at it."""
        place, job = next((p, job) for p, job in enumerate(self._jobs) if job.words == words)
        with self._engine.begin() as connection:
            if connection.scalar(select(func.pg_try_advisory_xact_lock(LOCKS + place))):
                self._run(job)

    def _run(self, job: Job) -> None:
        self._tallies.add("job_runs", job.words)
        try:
            job.run()
        except Exception:
            self._tallies.add("job_failures", job.words)
            raise
        self._tallies.add("job_successes", job.words)

    def close(self) -> None:
        """What was counted is saved."""
        self._tallies.close()

    def _exists(self, project_id: int) -> bool:
        with self._engine.connect() as connection:
            return connection.scalar(select(Project.id).where(Project.id == project_id)) is not None

    def _delete_letters(self, known: Projects) -> None:
        self._letters.delete_left(known.ids, known.greatest)
        tell_trimmed(self._letters.trim(MAX_BURIED))

    def _bury(
        self, message: str, place: int, envelope: Envelope, reason: str, counted: int
    ) -> None:
        posted = (envelope.project_id, envelope.received_us, envelope.gzip, envelope.body)
        self._letters.bury(message, place, posted, reason, counted)
