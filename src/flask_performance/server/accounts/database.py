"""The accounts' database: its address, its connections and the migrations that run at start.

A new database gets the newest tables at once. Alembic is imported only to change older ones: it
costs a third of a second and 12 MB.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    select,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from flask_performance.server.settings import Settings, SettingsError

from .models import Base, db

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

MIGRATIONS = Path(__file__).with_name("migrations")
#: How long a writer waits for another process's write (seconds).
BUSY_TIMEOUT = 5

#: Where Alembic keeps the revision of a database.
_VERSION = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "%(table_name)s_pkc"}),
    Column("version_num", String(32), primary_key=True),
)


def url(settings: Settings) -> URL:
    return URL.create("sqlite", database=str(settings.accounts_database))


def connect_args() -> dict[str, Any]:
    return {"timeout": BUSY_TIMEOUT}


def engine_options() -> dict[str, Any]:
    """Without parameters in errors, which go to the log: they are hashes and keys."""
    return {"connect_args": connect_args(), "hide_parameters": True}


def enforce_foreign_keys(engine: Engine) -> None:
    """SQLite checks foreign keys (and cascades) only where a connection asks for it."""
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def pragma(connection: "DBAPIConnection", _record: object) -> None:
            connection.cursor().execute("PRAGMA foreign_keys = ON")


def open_engine(settings: Settings) -> Engine:
    """An engine of one's own, for what runs outside a Flask app."""
    engine = create_engine(url(settings), **engine_options())
    enforce_foreign_keys(engine)
    return engine


def ask(engine: Engine) -> None:
    """Read a row of the database, to know that it can be read. Raises SQLAlchemyError."""
    with engine.connect() as connection:
        connection.scalar(select(_VERSION.c.version_num))


def revisions() -> list[str]:
    """The revisions this version knows, oldest first: `0001_accounts.py` is revision 0001."""
    return sorted(path.stem.split("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def upgrade(app: Flask) -> None:
    """Bring the database of an app to this version's tables. Cheap when it is there already.

    Raises SettingsError, with nothing changed, when a newer version wrote the database or when the
    file cannot be used.
    """
    with app.app_context():
        address = db.engine.url
    path = address.database or str(address)
    try:
        engine = migration_engine(address)
        try:
            _migrate(engine, path)
        finally:
            engine.dispose()
    except (DatabaseError, OSError) as error:
        reason = error.orig if isinstance(error, DatabaseError) else error
        raise SettingsError(
            f"The accounts database {path} cannot be used ({reason}); check the folder given "
            "with --data, its permissions and its free space."
        ) from error


def _migrate(engine: Engine, path: str) -> None:
    known = revisions()
    found = _revision(engine)
    if found is None:
        _create(engine, known[-1])
    elif found not in known:
        raise SettingsError(
            f"The accounts database {path} was written by a newer version of Flask-Performance "
            f"(revision {found}, this version knows up to {known[-1]}); install that version or "
            "point --data at another folder."
        )
    elif found != known[-1]:
        run_migrations(engine)


def _revision(engine: Engine) -> str | None:
    """None: there is nothing yet."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(select(_VERSION.c.version_num))


def _create(engine: Engine, head: str) -> None:
    """The tables of the newest revision at once. A test holds them against the migrations'."""
    with engine.begin() as connection:
        if inspect(connection).has_table("alembic_version"):
            return  # another process was faster
        Base.metadata.create_all(connection)
        connection.execute(CreateTable(_VERSION))
        connection.execute(_VERSION.insert().values(version_num=head))


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
    """An engine whose transactions hold the write lock from their start and include DDL.

    So two processes that start at once migrate one after the other, and a crash leaves the old
    tables. See "Serializable isolation / Savepoints / Transactional DDL" in SQLAlchemy's pages
    on SQLite.
    """
    if address.get_backend_name() != "sqlite":
        return create_engine(address, poolclass=NullPool)
    engine = create_engine(address, poolclass=NullPool, connect_args=connect_args())

    # Password hashes are for their owner alone. SQLite gives its side files the same mode.
    Path(str(address.database)).touch(mode=0o600)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
