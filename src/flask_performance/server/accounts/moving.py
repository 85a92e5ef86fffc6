"""`copy-accounts`: the accounts of a data folder go into PostgreSQL, with the ids that they have.

Requests belong to projects by their ids, so these must stay. All of it is one transaction: either
everything is there in the end, or nothing.
"""

from typing import Final

from sqlalchemy import URL, Connection, Integer, Table, func, select, text

from flask_performance.server.settings import SettingsError

from .database import migration_engine, upgrade_at
from .models import Base, Project, Team, User

#: Rows that are written at once.
TOGETHER: Final = 1_000


def copy_accounts(source: URL, target: URL) -> dict[str, int]:
    """The rows of each table. Raises SettingsError where either cannot be used, or where the target
    has accounts of its own."""
    for address in (source, target):
        upgrade_at(address)
    here, there = migration_engine(source), migration_engine(target)
    try:
        with here.begin() as reader, there.begin() as writer:
            _refuse_accounts(writer)
            for table in reversed(Base.metadata.sorted_tables):
                writer.execute(table.delete())
            copied = {
                table.name: _copy(table, reader, writer) for table in Base.metadata.sorted_tables
            }
            for table in Base.metadata.sorted_tables:
                _go_on_counting(table, writer)
    finally:
        here.dispose()
        there.dispose()
    return copied


def _refuse_accounts(writer: Connection) -> None:
    for model in (User, Team, Project):
        if writer.scalar(select(func.count()).select_from(model)):
            raise SettingsError(
                f"The database has {model.__tablename__} of its own: name one without accounts."
            )


def _copy(table: Table, reader: Connection, writer: Connection) -> int:
    rows = 0
    for some in reader.execute(select(table)).mappings().partitions(TOGETHER):
        writer.execute(table.insert(), [dict(row) for row in some])
        rows += len(some)
    there = writer.scalar(select(func.count()).select_from(table))
    if there != rows:
        raise SettingsError(f"{table.name}: {rows:,} rows here, {there:,} there; nothing is kept.")
    return rows


def _go_on_counting(table: Table, writer: Connection) -> None:
    """The next row's id comes after those that were copied."""
    keys = list(table.primary_key)
    if writer.dialect.name != "postgresql" or len(keys) != 1:
        return
    [key] = keys
    if not isinstance(key.type, Integer) or key.foreign_keys:
        return
    newest = writer.scalar(select(func.max(key)))
    asked = {"table": f'"{table.name}"', "key": key.name}
    counter = writer.scalar(text("select pg_get_serial_sequence(:table, :key)"), asked)
    if counter and newest:
        writer.execute(
            text("select setval(:counter, :newest)"), {"counter": counter, "newest": newest}
        )
