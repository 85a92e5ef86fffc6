"""The one place that joins the rooms: settings in, a running platform out.

```
 uvicorn ─ ASGI ─┬─ /v1/collector/<key> ─ Collector ─▶ Journal ─▶ IngestWorker ─▶ DuckDBStore
 (one process,   ├─ …/live ────────────── LiveHub ◀──── revisions ───────────────────┤
  one loop)      └─ everything else ───── Flask in threads: pages, API ◀─────────────┘
```
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import uvloop
from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import WSGIApp
from flask import Flask, request
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from . import accounts, api, dashboard, logs, ourselves, vitals
from .accounts import Meter, first, mail, open_keys
from .accounts.database import ask, open_engine, shared, upgrade_at, url
from .accounts.dsn import dsn
from .accounts.dsn import settings as settings_of
from .accounts.following import Follower
from .accounts.letters import Letters
from .accounts.orm import changes
from .accounts.own import own_key
from .accounts.tallies import read_tallies
from .accounts.throttle import sign_ins
from .asked import existing, kept, project_exists
from .collector.endpoint import ALL_REASONS, Collector, Headers
from .counts import Failing, Histogram
from .dashboard.headers import common, secured
from .folder import exclusive, make_folder
from .forms import whole
from .homes import Only, check_homes
from .ingest.worker import IngestWorker
from .jobs import Job, JobRunner, StrangersError, collector_job, jobs, left
from .live.hub import LiveHub
from .proxies import behind
from .queue import dead_letters
from .queue.base import Queue
from .queue.journal import Journal
from .room import Room
from .serving import server
from .settings import Settings, SettingsError
from .store.base import EventStore, Projects, StoreUnavailableError
from .store.duckdb import DuckDBStore
from .store.open import open_store
from .store.timing import time_questions
from .upkeep.control import answering
from .upkeep.tasks import Tasks
from .upkeep.watch import Watch, make_smaller
from .vitals import Health, Metrics, Sources

if TYPE_CHECKING:
    from .queue.celery import CeleryQueue

log = logging.getLogger(__name__)

#: How long one thread keeps the interpreter while another waits for it (seconds).
SWITCH: Final = 0.0005
#: Objects that are made before the garbage collector looks at the youngest: what waits in the
#: journal is no garbage, and looking at it again and again stops all threads.
YOUNG: Final = 20_000
#: Threads that answer pages and API; DuckDB uses more than one core for a question by itself.
WEB_THREADS: Final = 8
#: SIGTERM is to be over in 10 seconds. How long open requests may take to end …
LAST_ANSWERS: Final = 2.0
#: … and how long ingest may empty the journal (seconds). The rest waits on disk.
DRAIN: Final = 4.0
#: … and mails to leave (seconds).
LAST_MAILS: Final = 1.0


class Web(Flask):
    """A Flask app whose log does not know the secrets that addresses hold."""

    def log_exception(self, exc_info: Any) -> None:
        """Names the rule: the path of a reset or an invitation opens an account or a team."""
        rule = request.url_rule.rule if request.url_rule else "an unknown address"
        said = {"rule": rule, "method": request.method}
        log.error("Exception on %(rule)s [%(method)s]", said, exc_info=exc_info)


def create_web(settings: Settings, store: EventStore, watch: Watch | None = None) -> Flask:
    """Pages and REST API. The accounts' database is created or upgraded here."""
    app = Web("flask_performance.server.web", static_folder=None)
    accounts.init_app(app, settings)
    accounts.upgrade(app)
    if watch is None:
        dashboard.init_app(app, store)
    else:
        dashboard.init_app(app, store, watch.notices, watch.deletions)
    api.init_app(app, store)
    return app


@dataclass(frozen=True)
class Platform:
    """All parts of this process, running."""

    asgi: ASGIApp
    collector: Collector
    #: For the answers that the collector gives without `asgi` around it.
    headers: Headers
    health: Health
    #: None: this process has no pages.
    hub: LiveHub | None
    web: Flask | None


@dataclass(frozen=True)
class Parts:
    """What the server watches of itself."""

    settings: Settings
    engine: Engine
    queue: "Journal | CeleryQueue"
    runner: JobRunner
    collector: Collector
    #: None: somewhere else.
    web: Flask | None = None
    store: EventStore | None = None
    ingest: IngestWorker | None = None
    hub: LiveHub | None = None


@contextlib.contextmanager
def platform(settings: Settings, only: Only | None = None) -> Iterator[Platform]:
    """Open every part in the order of their needs, close them in the opposite one.

    Raises SettingsError where a part cannot start; then nothing was damaged.
    """
    check_homes(settings, only)
    with contextlib.ExitStack() as stack:
        if only == "collector":
            yield _collecting(settings, stack)
        else:
            yield _everything(settings, only, stack)


def _everything(settings: Settings, only: Only | None, stack: contextlib.ExitStack) -> Platform:
    if settings.queue_url is None:
        stack.enter_context(exclusive(settings))
        make_smaller(settings)
    else:
        make_folder(settings)
    store = stack.enter_context(contextlib.closing(open_store(settings)))
    questions = time_questions(store)
    queue = _queue(settings, stack)
    watch = Watch(settings, store) if isinstance(store, DuckDBStore) else None
    web = create_web(settings, store, watch)
    stack.callback(mail.close, web, LAST_MAILS)
    _refuse_strangers(web, store)
    if shared(settings):
        stack.enter_context(contextlib.closing(Follower(url(settings))))
    ingest = None
    if isinstance(queue, Journal):
        ingest = IngestWorker(queue, store, partial(project_exists, web))
        ingest.start()
        stack.callback(ingest.stop, DRAIN)
    collector, meter = _collector(settings, queue, stack)
    table = [collector_job(meter.save)]
    if watch is not None:
        asked = (partial(kept, web), partial(existing, web))
        letters = partial(_delete_letters, settings)
        table = list(jobs(store, meter.save, *asked, letters, watch.look))
    runner = _runner(table, stack)
    hub = LiveHub(partial(dashboard.open_view, web), store.revision, changes)
    if isinstance(queue, Journal):
        stack.enter_context(answering(settings, Tasks(settings, store, queue)))
    engine = _engine(settings, stack)
    parts = Parts(
        settings, engine, queue, runner, collector, web=web, store=store, ingest=ingest, hub=hub
    )
    routes = [] if only == "web" else _of_collector(collector)
    return _platform(parts, questions, [*routes, *_of_web(web, hub, collector.room)], stack)


def _delete_letters(settings: Settings, known: Projects) -> None:
    dead_letters.delete_left(settings.journal, known.ids, known.greatest)


def _refuse_strangers(web: Flask, store: EventStore) -> None:
    """Raises SettingsError. A store that is away is asked again before anything is deleted."""
    try:
        with contextlib.suppress(StoreUnavailableError):
            left(store, partial(existing, web))
    except StrangersError as error:
        raise SettingsError(str(error)) from error


def _collecting(settings: Settings, stack: contextlib.ExitStack) -> Platform:
    """The collector alone: it needs keys and broker, and neither pages nor the event store."""
    make_folder(settings)
    upgrade_at(url(settings))
    queue = _queue(settings, stack)
    collector, meter = _collector(settings, queue, stack)
    runner = _runner([collector_job(meter.save)], stack)
    parts = Parts(settings, _engine(settings, stack), queue, runner, collector)
    return _platform(parts, {}, [*_of_collector(collector), _nothing_else()], stack)


def _queue(settings: Settings, stack: contextlib.ExitStack) -> "Journal | CeleryQueue":
    if settings.queue_url is None:
        queue: Any = Journal(settings.journal)
    else:
        from .queue import celery  # 50 ms and 15 MB that a journal does not need

        queue = celery.CeleryQueue(settings.queue_url)
    stack.callback(queue.close)
    return cast("Journal | CeleryQueue", queue)


def _collector(
    settings: Settings, queue: Queue, stack: contextlib.ExitStack
) -> tuple[Collector, Meter]:
    keys = stack.enter_context(contextlib.closing(open_keys(settings)))
    meter = Meter(open_engine(settings), alone=not shared(settings))
    stack.callback(meter.close)
    meter.load()
    collector = Collector(queue, keys.find, meter, partial(_collector_page, settings))
    stack.callback(collector.close)
    return collector, meter


def _runner(table: Sequence[Job], stack: contextlib.ExitStack) -> JobRunner:
    runner = JobRunner(table)
    runner.start()
    stack.callback(runner.stop)
    return runner


def _engine(settings: Settings, stack: contextlib.ExitStack) -> Engine:
    engine = open_engine(settings)
    stack.callback(engine.dispose)
    return engine


def _platform(
    parts: Parts,
    questions: Mapping[str, Histogram],
    routes: list[BaseRoute],
    stack: contextlib.ExitStack,
) -> Platform:
    settings = parts.settings
    health = stack.enter_context(contextlib.closing(_health(parts)))
    metrics = Metrics(_sources(parts, questions))
    of_itself = vitals.routes(health, metrics, settings.metrics_token, settings.proxies)
    rooms = Starlette(routes=[*of_itself, *routes])
    # A path with a line break matches none of Starlette's, not even the mount of everything.
    rooms.router.default = cast(Mount, routes[-1]).app
    asgi = behind(settings.proxies, secured(rooms, https=settings.secure))
    headers = common(https=settings.secure)
    return Platform(asgi, parts.collector, headers, health, parts.hub, parts.web)


def _health(parts: Parts) -> Health:
    def accounts() -> None:
        ask(parts.engine)

    asked: dict[str, Callable[[], Failing | None]] = {
        "accounts": accounts, "queue": parts.queue.failing,
    }  # fmt: skip
    if (asking := parts.store) is not None:

        def store() -> Failing | None:
            asking.rows()  # raises an error where it does not answer
            return None if parts.ingest is None else parts.ingest.trouble.now

        asked["store"] = store
    return Health(asked, parts.runner.states)


def _sources(parts: Parts, questions: Mapping[str, Histogram]) -> Sources:
    settings, web, hub = parts.settings, parts.web, parts.hub
    files = {
        "accounts": settings.accounts_database,
        "journal": settings.journal,
        "events": settings.events,
    }
    if shared(settings):
        del files["accounts"]
    broker = settings.queue_url is not None
    letters = partial(dead_letters.count, settings.journal)
    return Sources(
        data=settings.data,
        files={} if broker else files,
        collected=parts.collector.counts,
        reasons=ALL_REASONS,
        depth=parts.queue.depth,
        commit_seconds=parts.queue.commit_seconds,
        dead_letters=Letters(parts.engine).count if broker else letters,
        ingested=None if parts.ingest is None else parts.ingest.counts,
        rows=None if parts.store is None else parts.store.rows,
        questions=questions,
        live=None if hub is None else lambda: hub.watched,
        sign_ins=None if web is None else partial(sign_ins, web),
        jobs=parts.runner.states,
        workers=partial(read_tallies, parts.engine) if broker and web is not None else None,
        lines=logs.counted,
    )


def _collector_page(
    settings: Settings, base_url: str, key: str, known: bool
) -> tuple[str, Headers]:
    html = dashboard.collector_page(dsn(settings.url or base_url, key), known=known)
    headers = [(k.lower().encode(), v.encode()) for k, v in dashboard.SECURITY_HEADERS.items()]
    return html, headers


def _of_collector(collector: Collector) -> list[BaseRoute]:
    return [
        Route("/v1", collector, methods=None),
        Route("/v1/{rest:path}", collector, methods=None),
    ]


def _of_web(web: Flask, hub: LiveHub, room: Room) -> list[BaseRoute]:
    """The last one takes everything."""
    threads = cast(ASGIApp, WSGIMiddleware(cast(WSGIApp, web), workers=WEB_THREADS))
    pages = whole(threads, web.config["MAX_CONTENT_LENGTH"], room)
    return [
        Route("/projects/live", hub.endpoint),
        Route("/projects/{project}/live", hub.endpoint),
        Route("/projects/{project}/{page}/live", hub.endpoint),
        Mount("/", pages),
    ]


def _nothing_else() -> Mount:
    sentence = "This process only collects; pages and API are at another address.\n"
    return Mount("/", cast(ASGIApp, PlainTextResponse(sentence, 404)))


def run(settings: Settings, host: str, port: int, only: Only | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises SettingsError before anything is served."""
    _check_port(host, port)
    with platform(settings, only) as parts:
        settings.address.write_text(_address(host, port) + "\n", encoding="utf-8")
        # Threads that decode would keep the interpreter for 5 ms each time the event loop needs it.
        sys.setswitchinterval(SWITCH)
        _collect_garbage_rarely()
        try:
            uvloop.run(_serve(parts, host, port))
        finally:
            gc.unfreeze()  # or what holds DuckDB's objects outlives it, which it says in the log


def _collect_garbage_rarely() -> None:
    """What is there now stays: looking through it takes 50 ms, in which nothing else runs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds us."""
    reachable = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # nosec B104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _check_port(host: str, port: int) -> None:
    """Before anything is opened: a second server must not start on the same port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(
            f"Cannot listen on {host} port {port} ({error.strerror or error}). "
            "Stop what uses it, or choose another with --host and --port."
        ) from error


def _watch_ourselves(parts: Platform) -> Callable[[], Awaitable[None]]:
    """Have the web app recorded, if it shall be; how that ends. Call it on the event loop."""

    async def nothing() -> None:
        pass

    web = parts.web
    if web is None or not settings_of(web).self_:
        return nothing
    with web.app_context():
        key = own_key()
    return nothing if key is None else ourselves.watch(web, parts.collector, key)


async def _serve(parts: Platform, host: str, port: int) -> None:
    served = server(parts.asgi, parts.collector, parts.headers, host, port)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    unwatch = _watch_ourselves(parts)
    serving = asyncio.create_task(served.serve_on())
    stopping = asyncio.create_task(ended.wait())
    log.info("Flask-Performance is ready at %(address)s", {"address": _address(host, port)})
    if parts.web is not None:
        with parts.web.app_context():
            first.announce()
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    log.info("Stopping: no new requests, saving what was accepted")
    parts.health.stopping()
    if parts.hub is not None:
        parts.hub.close()
    served.should_exit = True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(serving, LAST_ANSWERS)
    await unwatch()
