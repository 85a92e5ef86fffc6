"""The file of the embedded event store: opening it, what writing remembers of it, transactions.

Writing happens on one connection under a lock. A transaction succeeds or fails as a whole, in the
file and in memory; after a fault that DuckDB does not survive the file is opened anew.
"""

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import duckdb

from ..settings import SettingsError
from .base import HOUR_US, StoreUnavailableError
from .block import OperationKey
from .duckdb_asking import AwayError, is_damage, reason
from .duckdb_detailed import DuckDBDetailed
from .known import Drop, KnownInstances, Run
from .migrations import SCHEMA, migrations
from .process_reader import ProcessReader
from .queries import load

#: Instances heard within this time are kept in memory; others are recalled from the file.
REMEMBER_US: Final = 48 * HOUR_US
#: Names in `meta`, followed by a project's id: its single requests from before are deleted.
RAW_FROM: Final = "raw_from_"
#: Faults of the disk, the machine and DuckDB itself, not of what is stored.
WAITING_HELPS: Final = (
    duckdb.OperationalError, duckdb.InternalError, duckdb.FatalException, MemoryError, OSError,
)  # fmt: skip


def _helps_to_wait(error: BaseException) -> bool:
    return isinstance(error, WAITING_HELPS) or is_damage(error)


def _not_opened(path: Path, error: duckdb.Error) -> str:
    said = reason(error).rstrip(".")
    if "Could not set lock on file" in said:
        return f"The event store {path} is in use ({said}). Stop the program that has it open."
    return (
        f"The event store {path} cannot be opened ({said}). If it is damaged, restore it from a "
        f"backup, or move it and {path.name}.wal away and start anew: the stored requests are "
        "gone then; accounts, and what waits in the journal, stay."
    )


class DuckDBFile(DuckDBDetailed, ProcessReader):
    """The middle of `DuckDBStore`. Raises SettingsError where the file cannot be used."""

    def __init__(self, path: Path, *, memory_limit: str = "400MB", threads: int = 2) -> None:
        self._path = path
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
        }
        self._write = threading.Lock()
        #: Held while requests that are stored are deleted or written anew; taken before `_write`.
        self._arranging = threading.Lock()
        self._revisions: defaultdict[int, int] = defaultdict(int)
        #: When the steps of a table that had not ended were merged last.
        self._merged_us: dict[str, int] = {}
        #: DuckDB refuses everything after a fatal error, until the file is opened anew.
        self._reopen = False
        try:
            self._open()
        except duckdb.Error as error:
            raise SettingsError(_not_opened(path, error)) from error

    def _open(self) -> None:
        self._connection = duckdb.connect(str(self._path), config=self._config)
        try:
            self._migrate()
            self._load()
        except BaseException:
            self._connection.close()
            raise

    def _migrate(self) -> None:
        tables = {row[0] for row in self._rows("select table_name from duckdb_tables()")}
        if "meta" in tables:
            found = self._meta("schema")
            if found > SCHEMA:
                raise SettingsError(
                    f"The event store {self._path} was written by a newer version of "
                    f"Flask-Performance (its schema is {found}, this version knows up to "
                    f"{SCHEMA}). Install that version or a later one; nothing was changed."
                )
            self._upgrade(found)
            return
        self._connection.begin()
        self._connection.execute(load("schema"))
        self._connection.execute(
            "insert into meta values ('schema', ?), ('position', 0), ('rolled', 0), "
            "('detailed', 0), ('settled', 0)",
            [SCHEMA],
        )
        self._connection.commit()

    def _upgrade(self, found: int) -> None:
        """From an older schema to this version's, a transaction a step: all of it or nothing."""
        for migration in migrations():
            if migration.schema > found:
                self._connection.begin()
                self._connection.execute(migration.statements)
                self._connection.execute(
                    "update meta set value = ? where name = 'schema'", [migration.schema]
                )
                self._connection.commit()

    def _load(self) -> None:
        """Read into memory what writing needs to know of the past."""
        since_us = time.time_ns() // 1000 - REMEMBER_US
        heard = [id for (id,) in self._rows(load("heard_since"), {"since_us": since_us})]
        self._known = KnownInstances(self._recall, *self._runs_and_drops(heard))
        self._operations = {
            OperationKey(*key): id
            for id, *key in self._rows(
                "select id, project_id, method, route, endpoint from operation"
            )
        }
        self._instances = {
            (project_id, wire_id): id
            for id, project_id, wire_id in self._rows(
                "select id, project_id, wire_id from instance"
            )
        }
        # An id is used once, or a request that came after a deleted one would pass for rolled up.
        self._next_request = max(self._max_id("request"), self._meta("rolled")) + 1
        self._next_operation = self._max_id("operation") + 1
        self._next_instance = self._max_id("instance") + 1
        self._position = self._meta("position")
        self._raw_from = {
            int(name.removeprefix(RAW_FROM)): at_us
            for name, at_us in self._rows("from meta")
            if name.startswith(RAW_FROM)
        }
        self._heard_us = dict(self._rows(load("heard_last")))
        self._forget_names()
        self._load_unmerged()

    def _load_unmerged(self) -> None:
        #: Steps of each table that may consist of more than one row a key.
        self._unmerged: defaultdict[str, set[int]] = defaultdict(set)
        for table, step_us in self._rows("from unmerged"):
            self._unmerged[table].add(step_us)

    def _recall(self, project_id: int, wire_id: str) -> tuple[list[Run], list[Drop]]:
        """What is stored of one instance that was not heard for long."""
        id = self._instances.get((project_id, wire_id))
        try:
            return ([], []) if id is None else self._runs_and_drops([id])
        except WAITING_HELPS as error:
            raise StoreUnavailableError(reason(error)) from error

    def _runs_and_drops(self, instances: list[int]) -> tuple[list[Run], list[Drop]]:
        which = {"instances": instances}
        return self._rows(load("known_batches"), which), self._rows(load("known_drops"), which)

    def _max_id(self, table: str) -> int:
        return int(self._rows(f"select coalesce(max(id), 0) from {table}")[0][0])  # noqa: S608  # nosec B608

    def _meta(self, name: str) -> int:
        return int(self._rows("select value from meta where name = $name", {"name": name})[0][0])

    # -- transactions -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _changes(self, project_ids: AbstractSet[int]) -> Iterator[None]:
        """What these projects' answers change in: between the commit, from which on readers see it,
        and the new revision an answer belongs to neither the old revision nor the new one."""
        self._changing = frozenset(project_ids)
        try:
            yield
            for project_id in project_ids:
                self._revisions[project_id] += 1
        finally:
            self._changing = frozenset()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One at a time, and with a file that answers. Raises StoreUnavailableError."""
        with self._write:
            try:
                self._mend()
                yield
            except Exception as error:
                if not _helps_to_wait(error):
                    raise
                self._undo()
                raise StoreUnavailableError(reason(error)) from error

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """As `_writing`, and nothing is written beside it. Raises StoreUnavailableError."""
        with self._arranging, self._writing():
            yield

    @contextlib.contextmanager
    def _beside(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction that takes long: blocks are stored meanwhile. It may change only what
        nothing else changes but `_alone`. Raises StoreUnavailableError."""
        with self._arranging:
            try:
                with self._connection.cursor() as connection:
                    connection.begin()
                    yield connection
                    connection.commit()
            except Exception as error:
                if not _helps_to_wait(error):
                    raise
                raise StoreUnavailableError(reason(error)) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing, in the file and in memory. Raises StoreUnavailableError."""
        try:
            self._connection.begin()
            yield self._connection
            self._connection.commit()
        except BaseException as error:
            self._undo()
            if _helps_to_wait(error):
                raise StoreUnavailableError(reason(error)) from error
            raise

    def _undo(self) -> None:
        """After a failed transaction: memory may be ahead of the file, or behind it.

        DuckDB may say of a commit that it is durable, and that the checkpoint after it failed.
        """
        with contextlib.suppress(duckdb.Error):
            self._connection.rollback()
        try:
            self._load()
        except duckdb.Error:
            self._reopen = True
            with contextlib.suppress(
                duckdb.Error, OSError
            ):  # at once, because readers wait for it, too
                self._mend()

    def _mend(self) -> None:
        """Open the file anew where DuckDB refuses everything, and learn what is in it."""
        if self._reopen:
            self._connection.close()
            try:
                self._open()
            except duckdb.Error as error:  # whatever its class, no block is to blame
                raise AwayError(reason(error)) from error
            self._reopen = False

    def _checkpoint(self) -> None:
        """Move what is in the log beside the file into the file, if there is room for it."""
        try:
            self._connection.execute("checkpoint")
        except duckdb.Error:
            self._undo()

    def close(self) -> None:
        with self._arranging, self._write:
            self._connection.close()
