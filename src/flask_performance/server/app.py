"""The one place that joins the rooms: settings in, a running platform out.

```
 uvicorn ─ ASGI ─┬─ /v1/collector/<key> ─ Collector ─▶ Journal ─▶ IngestWorker ─▶ DuckDBStore
 (one process,   ├─ …/live ────────────── LiveHub ◀──── revisions ───────────────────┤
  one loop)      └─ everything else ───── Flask in threads: pages, API ◀─────────────┘
```
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import uvloop
from a2wsgi import WSGIMiddleware
from a2wsgi.wsgi_typing import WSGIApp
from flask import Flask, request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from . import accounts, api, dashboard, logs, ourselves, vitals
from .accounts import Meter, first, mail, models, open_keys, project_settings, projects
from .accounts.database import ask, open_engine, shared, url
from .accounts.dsn import dsn
from .accounts.dsn import settings as settings_of
from .accounts.following import Follower
from .accounts.orm import changes
from .accounts.own import own_key
from .accounts.throttle import sign_ins
from .collector.endpoint import ALL_REASONS, Collector, Headers
from .counts import Failing, Histogram
from .dashboard.headers import common, secured
from .folder import exclusive
from .ingest.worker import IngestWorker
from .jobs import JobRunner, jobs
from .live.hub import LiveHub
from .proxies import behind
from .queue import dead_letters
from .queue.journal import Journal
from .serving import server
from .settings import Settings, SettingsError
from .store.base import EventStore, Retention
from .store.duckdb import DuckDBStore
from .store.timing import time_questions
from .upkeep.control import answering
from .upkeep.tasks import Tasks
from .upkeep.watch import Watch, make_smaller
from .vitals import Health, Metrics, Sources

log = logging.getLogger(__name__)

#: How long one thread keeps the interpreter while another waits for it (seconds).
SWITCH: Final = 0.0005
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
    """All parts, running."""

    asgi: ASGIApp
    collector: Collector
    #: For the answers that the collector gives without `asgi` around it.
    headers: Headers
    hub: LiveHub
    web: Flask
    health: Health


@dataclass(frozen=True)
class Parts:
    """What the server watches of itself."""

    settings: Settings
    engine: Engine
    web: Flask
    store: EventStore
    journal: Journal
    ingest: IngestWorker
    runner: JobRunner
    collector: Collector
    hub: LiveHub


@contextlib.contextmanager
def platform(settings: Settings) -> Iterator[Platform]:
    """Open every part in the order of their needs, close them in the opposite one.

    Raises SettingsError where a part cannot start; then nothing was damaged.
    """
    with contextlib.ExitStack() as stack:
        _check_store(settings)
        stack.enter_context(exclusive(settings))
        make_smaller(settings)
        store = stack.enter_context(contextlib.closing(DuckDBStore(settings.events)))
        questions = time_questions(store)
        journal = Journal(settings.journal)
        stack.callback(journal.close)
        watch = Watch(settings, store)
        web = create_web(settings, store, watch)
        stack.callback(mail.close, web, LAST_MAILS)
        if shared(settings):
            stack.enter_context(contextlib.closing(Follower(url(settings))))
        keys = stack.enter_context(contextlib.closing(open_keys(settings)))
        ingest = IngestWorker(journal, store, partial(_project_exists, web))
        ingest.start()
        stack.callback(ingest.stop, DRAIN)
        meter = Meter(open_engine(settings), alone=not shared(settings))
        stack.callback(meter.close)
        meter.load()
        runner = JobRunner(
            jobs(store, meter.save, partial(_kept, web), partial(_existing, web), watch.look)
        )
        runner.start()
        stack.callback(runner.stop)
        hub = LiveHub(partial(dashboard.open_view, web), store.revision, changes)
        stack.enter_context(answering(settings, Tasks(settings, store, journal)))
        collector = Collector(journal, keys.find, meter, partial(_collector_page, settings))
        stack.callback(collector.close)
        engine = open_engine(settings)
        stack.callback(engine.dispose)
        parts = Parts(settings, engine, web, store, journal, ingest, runner, collector, hub)
        health = stack.enter_context(contextlib.closing(_health(parts)))
        metrics = Metrics(_sources(parts, questions))
        of_itself = vitals.routes(health, metrics, settings.metrics_token, settings.proxies)
        routes = _routes(web, collector, hub, of_itself)
        rooms = Starlette(routes=routes)
        # A path with a line break matches none of Starlette's, not even the mount of everything.
        rooms.router.default = cast(Mount, routes[-1]).app
        asgi = behind(settings.proxies, secured(rooms, https=settings.secure))
        headers = common(https=settings.secure)
        yield Platform(asgi, collector, headers, hub, web, health)


def _check_store(settings: Settings) -> None:
    """A journal cannot say after a crash which blocks it handed out: their content varies, and a
    store that knows blocks by their ids would take requests twice. Raises SettingsError."""
    if settings.store_url is not None:
        raise SettingsError(
            "FLASK_PERFORMANCE_STORE_URL needs FLASK_PERFORMANCE_QUEUE_URL and "
            "FLASK_PERFORMANCE_DATABASE_URL as well: the embedded journal stores into DuckDB alone."
        )


def _health(parts: Parts) -> Health:
    def store() -> Failing | None:
        parts.store.rows()  # raises an error where it does not answer
        return parts.ingest.trouble.now

    def accounts() -> None:
        ask(parts.engine)

    asked = {"accounts": accounts, "queue": parts.journal.failing, "store": store}
    return Health(asked, parts.runner.states)


def _sources(parts: Parts, questions: Mapping[str, Histogram]) -> Sources:
    settings = parts.settings
    return Sources(
        data=settings.data,
        files={
            **({} if shared(settings) else {"accounts": settings.accounts_database}),
            "journal": settings.journal,
            "events": settings.events,
        },
        collected=parts.collector.counts,
        reasons=ALL_REASONS,
        depth=parts.journal.depth,
        commit_seconds=parts.journal.commit_seconds,
        dead_letters=partial(dead_letters.count, settings.journal),
        ingested=parts.ingest.counts,
        rows=parts.store.rows,
        questions=questions,
        live=lambda: parts.hub.watched,
        sign_ins=partial(sign_ins, parts.web),
        jobs=parts.runner.states,
        lines=logs.counted,
    )


def _project_exists(web: Flask, project_id: int) -> bool:
    """For ingest: while the accounts cannot be read, every project is there."""
    with web.app_context():
        try:
            return models.db.session.get(models.Project, project_id) is not None
        except SQLAlchemyError:
            log.warning("Ingest cannot ask whether a project was deleted", exc_info=True)
            return True


def _existing(web: Flask) -> set[int]:
    with web.app_context():
        return projects.project_ids()


def _kept(web: Flask) -> dict[int, Retention]:
    with web.app_context():
        kept = project_settings.kept_by_all()
    return {
        project_id: Retention(raw_days=one.raw_days, minutes_days=one.minutes_days,
                              hours_days=one.hours_days)
        for project_id, one in kept.items()
    }  # fmt: skip


def _collector_page(
    settings: Settings, base_url: str, key: str, known: bool
) -> tuple[str, Headers]:
    html = dashboard.collector_page(dsn(settings.url or base_url, key), known=known)
    headers = [(k.lower().encode(), v.encode()) for k, v in dashboard.SECURITY_HEADERS.items()]
    return html, headers


def _routes(
    web: Flask, collector: Collector, hub: LiveHub, of_itself: Sequence[BaseRoute]
) -> list[BaseRoute]:
    pages = cast(ASGIApp, WSGIMiddleware(cast(WSGIApp, web), workers=WEB_THREADS))
    return [
        Route("/v1", collector, methods=None),
        Route("/v1/{rest:path}", collector, methods=None),
        *of_itself,
        Route("/projects/live", hub.endpoint),
        Route("/projects/{project}/live", hub.endpoint),
        Route("/projects/{project}/{page}/live", hub.endpoint),
        Mount("/", pages),
    ]


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises SettingsError before anything is served."""
    _check_port(host, port)
    with platform(settings) as parts:
        settings.address.write_text(_address(host, port) + "\n", encoding="utf-8")
        # Threads that decode would keep the interpreter for 5 ms each time the event loop needs it.
        sys.setswitchinterval(SWITCH)
        uvloop.run(_serve(parts, host, port))


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

    if not settings_of(parts.web).self_:
        return nothing
    with parts.web.app_context():
        key = own_key()
    return nothing if key is None else ourselves.watch(parts.web, parts.collector, key)


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
    with parts.web.app_context():
        first.announce()
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    log.info("Stopping: no new requests, saving what was accepted")
    parts.health.stopping()
    parts.hub.close()
    served.should_exit = True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(serving, LAST_ANSWERS)
    await unwatch()
