"""The accounts' database: its address, its connections and the migrations that run at start.

It is a SQLite file in the data folder, or a PostgreSQL server that any number of processes share. A
new database gets the newest tables at once. Alembic is imported only to change older ones: it costs
a third of a second and 12 MB.
"""

import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flask import Flask
from sqlalchemy import (
    URL,
    Column,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,
)
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from flask_performance.server.settings import Settings, SettingsError

from .models import Base, db

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

MIGRATIONS = Path(__file__).with_name("migrations")
#: How long a writer waits for another process's write (seconds).
BUSY_TIMEOUT = 5
#: PostgreSQL: how long to wait for a connection; a server that is gone without a word, or a
#: statement that others keep waiting, must not keep the threads that answer pages (seconds).
CONNECT_TIMEOUT: Final = 3
STATEMENT_TIMEOUT: Final = 10
#: What SQLAlchemy raises while a server is away, or has no connection left.
AWAY: Final = (OperationalError, InterfaceError, TimeoutError)

INSTALL: Final = 'pip install "flask-performance[server,scale]"'
#: Who migrates a PostgreSQL database holds this advisory lock: any number that is ours.
MIGRATING: Final = 0x666C_7065

#: Where Alembic keeps the revision of a database.
VERSION = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def url(settings: Settings) -> URL:
    """Raises SettingsError where the driver is missing."""
    if settings.database_url is not None:
        if find_spec("psycopg") is None:
            raise SettingsError(f"PostgreSQL needs its driver; install it: {INSTALL}")
        return make_url(settings.database_url)
    return URL.create("sqlite", database=str(settings.accounts_database))


def shared(settings: Settings) -> bool:
    """Whether other processes, perhaps on other machines, work with the same accounts."""
    return not _is_sqlite(url(settings))


def is_file(error: SQLAlchemyError) -> bool:
    """Whether an error is SQLite's."""
    return isinstance(getattr(error, "orig", None), sqlite3.Error)


def _is_sqlite(address: URL) -> bool:
    return address.get_backend_name() == "sqlite"


def connect_args(address: URL) -> dict[str, Any]:
    if _is_sqlite(address):
        return {"timeout": BUSY_TIMEOUT}
    return {
        "connect_timeout": CONNECT_TIMEOUT,
        "tcp_user_timeout": STATEMENT_TIMEOUT * 1000,
        "application_name": "flask-performance",
    }


def engine_options(address: URL) -> dict[str, Any]:
    """Without parameters in errors, which go to the log: they are hashes and keys."""
    options = {"connect_args": connect_args(address), "hide_parameters": True}
    if _is_sqlite(address):
        return options
    # A connection that died while it lay idle is replaced before anybody notices.
    return options | {"pool_pre_ping": True, "pool_timeout": CONNECT_TIMEOUT}


def prepare(engine: Engine) -> None:
    """SQLite checks foreign keys (and cascades) only where a connection asks for it.

    And PostgreSQL ends what takes too long only where it is told to; after connecting, because
    what pools connections in front of it takes no options before.
    """
    statement = "PRAGMA foreign_keys = ON"
    if engine.dialect.name != "sqlite":
        statement = f"SET statement_timeout = '{STATEMENT_TIMEOUT}s'"

    @event.listens_for(engine, "connect")
    def connect(connection: "DBAPIConnection", _record: object) -> None:
        connection.cursor().execute(statement)
        connection.commit()


def open_engine(settings: Settings) -> Engine:
    """An engine of one's own, for what runs outside a Flask app."""
    address = url(settings)
    engine = create_engine(address, **engine_options(address))
    prepare(engine)
    return engine


def ask(engine: Engine) -> None:
    """Read a row of the database, to know that it can be read. Raises SQLAlchemyError."""
    with engine.connect() as connection:
        connection.scalar(select(VERSION.c.version_num))


def revisions() -> list[str]:
    """The revisions this version knows, oldest first: `0001_accounts.py` is revision 0001."""
    return sorted(path.stem.split("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def upgrade(app: Flask) -> None:
    """`upgrade_at` the database of an app."""
    with app.app_context():
        address = db.engine.url
    upgrade_at(address)


def upgrade_at(address: URL) -> None:
    """Bring a database to this version's tables. Cheap when it is there already.

    Raises SettingsError, with nothing changed, when a newer version wrote the database or when it
    cannot be used.
    """
    name = _named(address)
    try:
        engine = migration_engine(address)
        try:
            _migrate(engine, name)
        finally:
            engine.dispose()
    except (DatabaseError, OSError) as error:
        reason = str(error.orig if isinstance(error, DatabaseError) else error).strip()
        remedy = (
            "check the folder given with --data, its permissions and its free space"
            if _is_sqlite(address)
            else "check FLASK_PERFORMANCE_DATABASE_URL and that server"
        )
        raise SettingsError(
            f"The accounts database {name} cannot be used ({reason}); {remedy}."
        ) from error


def _named(address: URL) -> str:
    """The file, or the server's place without user and password."""
    if _is_sqlite(address):
        return address.database or str(address)
    return f"{address.database} at {address.host or 'this machine'}"


def _migrate(engine: Engine, name: str) -> None:
    known = revisions()
    found = _revision(engine)
    if found is None:
        _create(engine, known[-1])
    elif found not in known:
        raise SettingsError(
            f"The accounts database {name} was written by a newer version of Flask-Performance "
            f"(revision {found}, this version knows up to {known[-1]}); install that version or "
            "use another database."
        )
    elif found != known[-1]:
        run_migrations(engine)


def _revision(engine: Engine) -> str | None:
    """None: there is nothing yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(select(VERSION.c.version_num))


def _create(engine: Engine, head: str) -> None:
    """The tables of the newest revision at once. A test holds them against the migrations'."""
    with engine.begin() as connection:
        if inspect(connection).has_table("alembic_version"):
            return  # another process was faster
        Base.metadata.create_all(connection)
        connection.execute(CreateTable(VERSION))
        connection.execute(VERSION.insert().values(version_num=head))


def run_migrations(engine: Engine) -> None:
    """Every revision that the database does not have yet, all or none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def migration_engine(address: URL) -> Engine:
    """An engine whose transactions keep other migrations out from their start and include DDL.

    So two processes that start at once migrate one after the other, and a crash leaves the old
    tables. See "Serializable isolation / Savepoints / Transactional DDL" in SQLAlchemy's pages
    on SQLite.
    """
    engine = create_engine(address, poolclass=NullPool, connect_args=connect_args(address))
    first = "BEGIN IMMEDIATE"
    if _is_sqlite(address):
        _own_transactions(engine)
    else:
        first = f"SELECT pg_advisory_xact_lock({MIGRATING})"

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql(first)

    return engine


def _own_transactions(engine: Engine) -> None:
    """Of a SQLite file, which is made for its owner alone: password hashes are in it."""
    # SQLite gives its side files the same mode.
    Path(str(engine.url.database)).touch(mode=0o600)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
