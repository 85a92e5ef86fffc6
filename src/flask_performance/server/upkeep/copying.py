"""The commands that move an embedded installation into ClickHouse and PostgreSQL."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import URL

from flask_performance.server.folder import exclusive
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import PREFIX, Settings
from flask_performance.server.store.base import StoreUnavailableError

from .commands import bar, sentences
from .errors import UpkeepError

if TYPE_CHECKING:
    from flask_performance.server.store.duckdb import DuckDBStore


@click.command("copy-store")
@click.argument(
    "folder", metavar="FROM", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.argument("url", metavar="[TO]", required=False)
def copy_store(folder: Path, url: str | None) -> None:
    """Copy the event store of the data folder FROM into ClickHouse at TO.

    TO is a clickhouse:// URL, FLASK_PERFORMANCE_STORE_URL where it is left out. `serve` must be
    stopped. May be stopped at any time and started again: it goes on where it was. In the end both
    sides are counted; exit code 1 where they differ.
    """
    with sentences():
        settings = Settings.read(folder)
        url = url or settings.store_url
        if url is None:
            raise UpkeepError(f"Say where to: a clickhouse:// URL, or {PREFIX}STORE_URL.")
        _copy(settings, url)


@click.command("copy-accounts")
@click.argument(
    "folder", metavar="FROM", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.argument("url", metavar="[TO]", required=False)
def copy_accounts(folder: Path, url: str | None) -> None:
    """Copy the accounts of the data folder FROM into PostgreSQL at TO, with the ids they have.

    TO is a postgresql+psycopg:// URL, FLASK_PERFORMANCE_DATABASE_URL where it is left out. `serve`
    must be stopped. All of it is one transaction, into a database without accounts.
    """
    from flask_performance.server.accounts import database
    from flask_performance.server.accounts.moving import copy_accounts as copied

    with sentences():
        name = f"{PREFIX}DATABASE_URL"
        settings = Settings.read(folder, {**os.environ, **({name: url} if url else {})})
        if settings.database_url is None:
            raise UpkeepError(f"Say where to: a postgresql+psycopg:// URL, or {name}.")
        if not settings.accounts_database.exists():
            raise UpkeepError(f"{settings.data} holds no accounts.")
        here = URL.create("sqlite", database=str(settings.accounts_database))
        with exclusive(settings):
            found = copied(here, database.url(settings))
        click.echo("\n".join(f"{table}: {rows:,}" for table, rows in found.items()), err=True)


def _copy(settings: Settings, url: str) -> None:
    """Raises UpkeepError and SettingsError."""
    from flask_performance.server.store.duckdb import DuckDBStore  # half a second

    if not settings.events.exists():
        raise UpkeepError(f"{settings.data} holds no event store (no {settings.events.name}).")
    with exclusive(settings), contextlib.closing(DuckDBStore(settings.events)) as store:
        _refuse_waiting(settings, store.position())
        try:
            told = _copied(store, url)
        except StoreUnavailableError as error:
            raise UpkeepError(
                f"The event store cannot be copied just now: {error}. Start the command again when "
                "that is mended: it goes on where it was."
            ) from error
    if told:
        raise UpkeepError("\n  ".join(("What is there differs from what is here:", *told)))


def _refuse_waiting(settings: Settings, position: int) -> None:
    """What is in the journal alone would stay behind."""
    if not settings.journal.exists():
        return
    with contextlib.closing(Journal(settings.journal)) as journal:
        if journal.read(position, 1, 1):
            raise UpkeepError(
                "Batches wait in the journal that are in no event store yet. Start `serve` once "
                "more, with no app sending, until the page Status says that nothing waits."
            )


def _copied(store: "DuckDBStore", url: str) -> list[str]:
    """What differs in the end."""
    from flask_performance.server.store.clickhouse.address import Address
    from flask_performance.server.store.clickhouse.copying import Intake
    from flask_performance.server.store.clickhouse.layout import Layout
    from flask_performance.server.store.copying import OtherInstallationError, copy, differences
    from flask_performance.server.store.duckdb_copying import Source

    layout = Layout.of(Address.of(url))
    with contextlib.closing(layout), store.at_rest() as connection:
        source, intake = Source(connection), Intake(layout)
        progress = _Progress()
        try:
            with progress.shown():
                copy(source, intake, f"{store.copied_as()}", progress.begin, progress.update)
        except OtherInstallationError as error:
            raise UpkeepError(str(error)) from error
        click.echo(
            f"{progress.rows:,} rows, {progress.there:,} of them were there already. "
            "Counting both sides …", err=True,
        )  # fmt: skip
        found = differences(source, intake)
        if not found:
            click.echo("Both sides have the same, table by table and day by day.", err=True)
        return found


class _Progress:
    """A bar whose length is known once the rows are counted."""

    rows = there = 0

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._update: Any = None

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        with self._open:
            yield

    def begin(self, rows: int, there: int) -> None:
        self.rows, self.there = rows, there
        self._update = self._open.enter_context(bar("Copying", rows))
        self._update(there)

    def update(self, rows: int) -> None:
        self._update(rows)
