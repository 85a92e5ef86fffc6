"""`check` and `migrate`: whether the three homes answer, their versions, and what is missing."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from flask import Flask
from sqlalchemy import select

from flask_performance.server import accounts
from flask_performance.server.accounts import database
from flask_performance.server.folder import exclusive, make_folder
from flask_performance.server.homes import check_homes
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import PREFIX, Settings, SettingsError
from flask_performance.server.store.base import StoreUnavailableError
from flask_performance.server.store.open import open_store

from .errors import UpkeepError

#: How long workers have to say that they are there (seconds).
PING: Final = 1.5
TABLES: Final = "tables are missing: `flask-performance migrate` makes them"


class Finding(NamedTuple):
    """What was found of one home."""

    home: str
    words: str
    #: What is missing, and what to do about it; empty: nothing.
    missing: tuple[str, ...] = ()


def check(settings: Settings) -> Iterator[Finding]:
    """One finding a home. Changes nothing. Raises SettingsError where they do not go together."""
    check_homes(settings)
    yield _guarded("accounts", "DATABASE_URL", _accounts, settings)
    if settings.queue_url is None:
        yield _file("queue", settings, "journal", settings.journal.exists())
        yield _file("event store", settings, "DuckDB", settings.events.exists())
    else:
        yield _guarded("queue", "QUEUE_URL", _queue, settings)
        yield _guarded("event store", "STORE_URL", _store, settings)


def _guarded(
    home: str, setting: str, look: Callable[[Settings], Finding], settings: Settings
) -> Finding:
    try:
        return look(settings)
    except SettingsError as error:
        return Finding(home, "cannot be used", (str(error),))
    except Exception as error:  # whatever a client library raises for what is not there
        reason = " ".join(str(getattr(error, "orig", error)).split())
        remedy = f"check {PREFIX}{setting} and that server"
        return Finding(home, "does not answer", (f"{reason.rstrip('.')}: {remedy}",))


def _file(home: str, settings: Settings, kind: str, there: bool) -> Finding:
    missing = () if there else ("nothing is there yet; the first `serve` or `migrate` makes it",)
    return Finding(home, f"{kind} in {settings.data}", missing)


def _accounts(settings: Settings) -> Finding:
    if not database.shared(settings):
        return _file("accounts", settings, "SQLite", settings.accounts_database.exists())
    engine = database.open_engine(settings)
    try:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("show server_version").scalar()
            made = engine.dialect.has_table(connection, "alembic_version")
            found = connection.scalar(select(database.VERSION.c.version_num)) if made else None
    finally:
        engine.dispose()
    missing = []
    known = database.revisions()
    if found is None:
        missing.append(TABLES)
    elif found not in known:
        missing.append("a newer version wrote it: install that one")
    elif found != known[-1]:
        missing.append(f"its tables are older ({found} of {known[-1]}): run `migrate`")
    if settings.secret is None:
        missing.append(f"{PREFIX}SECRET is not set: every machine would have one of its own")
    return Finding("accounts", f"PostgreSQL {version}", tuple(missing))


def _queue(settings: Settings) -> Finding:
    from flask_performance.server.queue.celery import broker

    assert settings.queue_url is not None  # noqa: S101
    found = broker(settings.queue_url, PING)
    missing = list(found.doubts)
    if not found.workers:
        missing.append(
            "no worker answers: `celery -A flask_performance.server.tasks worker` starts one"
        )
    words = f"{found.product} {found.version}, {found.workers} workers, {found.waiting} messages"
    return Finding("queue", words, tuple(missing))


def _store(settings: Settings) -> Finding:
    from flask_performance.server.store.clickhouse.address import Address
    from flask_performance.server.store.clickhouse.engine import Server

    assert settings.store_url is not None  # noqa: S101
    address = Address.of(settings.store_url)
    # Not in the database, which `migrate` makes where it is missing.
    with contextlib.closing(Server(replace(address, database=""))) as server:
        _, [version] = server.ask("select version()")
        _, [databases] = server.ask("select distinct database from system.tables")
    missing = () if address.database in databases else (TABLES,)
    cluster = f", cluster {address.cluster}" if address.cluster else ""
    return Finding("event store", f"ClickHouse {version[0]}{cluster}", missing)


def migrate(settings: Settings) -> Iterator[str]:
    """Make and upgrade everything; says what is done. Raises SettingsError and UpkeepError.

    Safe to run twice, and by two at once: one waits for the other.
    """
    check_homes(settings)
    with contextlib.ExitStack() as stack:
        if settings.queue_url is None:
            stack.enter_context(exclusive(settings))
        else:
            make_folder(settings)
        app = Flask(__name__)
        accounts.init_app(app, settings)
        accounts.upgrade(app)
        with app.app_context():
            accounts.models.db.engine.dispose()
        yield f"The accounts have the tables of revision {database.revisions()[-1]}."
        stack.enter_context(_in_turn(settings))
        try:
            open_store(settings, everywhere=True).close()
        except StoreUnavailableError as error:
            raise UpkeepError(f"The event store does not answer: {error}") from error
        yield "The event store has its tables."
        _make_queue(settings)
        yield "The queue is there."


@contextlib.contextmanager
def _in_turn(settings: Settings) -> Iterator[None]:
    """ClickHouse has no lock that two of us could share; PostgreSQL has."""
    if settings.queue_url is None:
        yield
        return
    engine = database.migration_engine(database.url(settings))
    try:
        with engine.begin():
            yield
    finally:
        engine.dispose()


def _make_queue(settings: Settings) -> None:
    if settings.queue_url is None:
        Journal(settings.journal).close()
        return
    from flask_performance.server.queue.celery import declare

    try:
        declare(settings.queue_url)
    except SettingsError:
        raise
    except Exception as error:  # whatever a client library raises for what is not there
        raise UpkeepError(
            f"The queue does not answer ({error}); check {PREFIX}QUEUE_URL and that server."
        ) from error
