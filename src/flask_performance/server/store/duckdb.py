"""The embedded home of the event store: one DuckDB file, one process.

```
ProcessReader         the questions that every home answers alike
DuckDBAsking          from a filter to SQL; a cursor a question: snapshots keep it and writing
  DuckDBNames         what requests know by ids only              out of each other's way
  DuckDBSingles       about single requests
    DuckDBDetailed    about what only they know
      DuckDBFile      opening, memory, transactions
        DuckDBUpkeep  rolling up, merging, sorting
          DuckDBStore writing and deleting, one at a time
```
"""

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from .base import DAY_US, LEDGER_DAYS, MINUTE_US, Retention, StoreUnavailableError
from .block import UNKNOWN, Block, Column, InstanceKey, OperationKey, text_column
from .bounds import bounded
from .details import DETAILS, WIDTH_US
from .duckdb_asking import reason
from .duckdb_columns import append_processes, declare_routes, registered
from .duckdb_export import exported
from .duckdb_file import RAW_FROM
from .duckdb_room import TIERS, oldest, used_bytes
from .duckdb_upkeep import DuckDBUpkeep
from .known import KnownInstance
from .queries import load, named
from .rollups import ROLLUPS, Tier

#: Its name in `meta`.
COPIED_AS: Final = "copied_as"
RECEIPT_COLUMNS: Final = (
    "project_id", "instance_id", "received_us", "number", "sent", "sent_total", "stored",
    "refused", "waiting", "final",
)  # fmt: skip
#: Columns of numbers of which one may be not known.
PERHAPS: Final = ("first_byte_us", "request_bytes", "response_bytes", "cpu_us", "queue_us")
TABLES_OF_A_PROJECT: Final = (
    *(rollup.table for rollup in ROLLUPS), *DETAILS.values(), "request", "receipt",
    "dropped", "process", "route", "operation", "instance",
)  # fmt: skip


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    ids: Iterable[int],
    keys: Sequence[OperationKey] | Sequence[InstanceKey],
    **more: Column,
) -> None:
    """Rows of an id and a key's fields, all at once: one by one they cost 0.4 ms each."""
    if not keys:
        return
    columns = {"id": np.fromiter(ids, "i4", len(keys)), **more}
    for name in keys[0].__struct_fields__:
        values = [getattr(key, name) for key in keys]
        # DuckDB casts texts; the type of numbers it would guess from some of them.
        columns[name] = text_column([None if one is None else str(one) for one in values])
    with registered(connection, columns):
        connection.execute(f"insert into {table} by name from block")  # nosec B608


class DuckDBStore(DuckDBUpkeep):
    """`EventStore` in a file. Raises SettingsError where the file cannot be used."""

    # -- writing ---------------------------------------------------------------------------------

    def position(self) -> int:
        return self._position

    def has_batch(self, project_id: int, instance: str, number: int) -> bool:
        with self._writing():
            return number in self._known.of(project_id, instance).batches

    def append(self, block: Block, position: int | None = None) -> None:
        if position is None:
            raise ValueError("the embedded event store takes blocks of the journal alone")
        with self._writing(), self._changes(block.project_ids):
            if position <= self._position:
                return  # stored after all by an attempt that seemed to fail
            with self._transaction() as connection:
                self._append(connection, block)
                connection.execute("update meta set value = ? where name = 'position'", [position])
            self._position = position
            self._next_request += block.requests
            self._heard(block)

    def _heard(self, block: Block) -> None:
        for receipt in block.receipts:
            project_id = block.instances[receipt.instance].project_id
            heard_us = self._heard_us.get(project_id, receipt.received_us)
            self._heard_us[project_id] = max(heard_us, receipt.received_us)

    def _append(self, connection: duckdb.DuckDBPyConnection, block: Block) -> None:
        known = self._known.of_all(block.instances)
        operations = self._operation_ids(connection, block.operations)
        instances = self._instance_ids(connection, block)
        if block.requests:
            columns = {k: v for k, v in block.columns.items() if k not in ("operation", "instance")}
            columns["operation_id"] = operations[block.columns["operation"]]
            columns["instance_id"] = instances[block.columns["instance"]]
            self._append_requests(connection, columns)
        self._append_receipts(connection, block, instances, known)
        said_us = append_processes(connection, block, instances)
        self._note_unmerged(connection, "process", said_us)
        declare_routes(connection, block)

    def _append_requests(
        self, connection: duckdb.DuckDBPyConnection, columns: dict[str, Column]
    ) -> None:
        first = self._next_request
        columns["id"] = np.arange(first, first + len(columns["start_us"]))
        said = [
            f"nullif({name}, {UNKNOWN}) as {name}" if name in PERHAPS else name for name in columns
        ]
        with registered(connection, columns):
            connection.execute(load("append_requests", columns=", ".join(said)))

    def _operation_ids(
        self, connection: duckdb.DuckDBPyConnection, keys: list[OperationKey]
    ) -> Column:
        stored = bounded(keys, self._operations.keys())
        new = [key for key in dict.fromkeys(stored.values()) if key not in self._operations]
        ids = range(self._next_operation, self._next_operation + len(new))
        _insert(connection, "operation", ids, new)
        self._operations.update(zip(new, ids, strict=True))
        self._next_operation += len(new)
        return np.array([self._operations[stored[key]] for key in keys], dtype="i4")

    def _instance_ids(self, connection: duckdb.DuckDBPyConnection, block: Block) -> Column:
        names = [(key.project_id, key.wire_id) for key in block.instances]
        new = {name: place for place, name in enumerate(names) if name not in self._instances}
        ids = range(self._next_instance, self._next_instance + len(new))
        if new:
            places = list(new.values())
            keys = [block.instances[place] for place in places]
            _insert(connection, "instance", ids, keys, first_us=block.first_us[places])
        self._instances.update(zip(new, ids, strict=True))
        self._next_instance += len(new)
        return np.array([self._instances[name] for name in names], dtype="i4")

    def _append_receipts(
        self,
        connection: duckdb.DuckDBPyConnection,
        block: Block,
        instances: Column,
        knowns: list[KnownInstance],
    ) -> None:
        receipts: list[tuple[int, ...]] = []
        drops: list[tuple[Any, ...]] = []
        for receipt in block.receipts:
            known = knowns[receipt.instance]
            known.take(receipt)
            where = (
                block.instances[receipt.instance].project_id,
                int(instances[receipt.instance]),
                receipt.received_us,
            )
            sent_total = UNKNOWN if receipt.sent_total is None else receipt.sent_total
            number = receipt.number or UNKNOWN
            receipts.append(
                (*where, number, known.sent_since(receipt), sent_total, receipt.stored,
                 sum(receipt.refused.values()), receipt.waiting, int(receipt.final))
            )  # fmt: skip
            drops.extend(
                (*where, reason, requests, known.dropped[reason])
                for reason, requests in known.dropped_since(receipt).items()
            )
            # Without a total: the client does not know of these.
            drops.extend((*where, reason, count, None) for reason, count in receipt.refused.items())
        if receipts:
            columns = dict(
                zip(RECEIPT_COLUMNS, np.array(receipts, dtype="i8").T.copy(), strict=True)
            )
            with registered(connection, columns):
                connection.execute(load("append_receipts"))
            self._note_unmerged(connection, "receipt", {row[2] for row in receipts})
        if drops:
            connection.executemany("insert into dropped values (?, ?, ?, ?, ?, ?)", drops)
            self._note_unmerged(connection, "dropped", {row[2] for row in drops})

    def _note_unmerged(
        self, connection: duckdb.DuckDBPyConnection, table: str, received_us: set[int]
    ) -> None:
        steps = {us // MINUTE_US * MINUTE_US for us in received_us} - self._unmerged[table]
        for step in steps:
            connection.execute("insert into unmerged values (?, ?)", [table, step])
        self._unmerged[table] |= steps

    # -- copies ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def still(self) -> Iterator[Path]:
        """The file, which holds everything that is stored, and does not change meanwhile."""
        with self._alone():
            self._checkpoint()  # else the rest is in the log beside it
            yield self._path

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Everything is in the rollups and in the details; a connection to read it by, while
        nothing is stored."""
        self.roll()
        with self._alone():
            self._detail_all()
        with self._connection.cursor() as connection:
            yield connection

    def export(self, project_id: int, start_us: int, end_us: int, file: Path) -> Iterator[float]:
        window = {"project_id": project_id, "start_us": start_us, "end_us": end_us}
        try:
            with self._connection.cursor() as cursor:
                yield from exported(cursor, file, window)
        except duckdb.Error as error:
            raise StoreUnavailableError(reason(error)) from error

    def copied_as(self) -> int:
        """The number that a copy of this store is known by wherever it goes."""
        with self._writing():
            found = self._rows("select value from meta where name = $name", {"name": COPIED_AS})
            if not found:
                made = secrets.randbits(62)
                self._connection.execute("insert into meta values (?, ?)", [COPIED_AS, made])
                return made
        return int(found[0][0])

    # -- room on the disk ------------------------------------------------------------------------

    def used_bytes(self) -> int:
        """What is stored takes so much; what can be used again does not count."""
        with self._connection.cursor() as cursor:
            return used_bytes(cursor, self._path)

    def thin(self, tier: Tier, share: float) -> dict[int, int]:
        """Delete about this share of a tier: the oldest of the projects that take the most room.

        By project: the moment before which nothing is left. Empty: the tier is. What is not in the
        rollups stays. Raises StoreUnavailableError.
        """
        with self._alone(), self._changes(self.project_ids()):
            detailed = self._detail_all()
            with self._transaction() as connection:
                goes = oldest(connection, tier, share, detailed)
                for project_id, before_us in goes.items():
                    self._forget_oldest(connection, tier, project_id, before_us, detailed)
            if goes:
                self._checkpoint()  # from then on the blocks are used again
        return goes

    def _forget_oldest(
        self,
        connection: duckdb.DuckDBPyConnection,
        tier: Tier,
        project_id: int,
        before_us: int,
        detailed: int,
    ) -> None:
        parameters = {"project_id": project_id, "before_us": before_us, "detailed": detailed}
        for table, width_us, condition in TIERS[tier]:
            words = {"table": table, "width": str(width_us), "condition": condition}
            statement = load("forget_oldest", **words)
            connection.execute(statement, named(statement, parameters))
        if tier == "raw":
            self._note_raw_from(connection, {project_id}, before_us)

    # -- forgetting ------------------------------------------------------------------------------

    def forget(self, now_us: int, kept: Mapping[int, Retention]) -> None:
        for project_id, retention in kept.items():
            ledger_days = max(retention.hours_days, LEDGER_DAYS)
            days_of = {"minutes": retention.minutes_days, "hours": retention.hours_days}
            raw_us = now_us - retention.raw_days * DAY_US
            self._forget("request", project_id, raw_us, condition="id <= $detailed")
            for rollup in ROLLUPS:
                # A step is kept until all of it is too old.
                before_us = rollup.whole_us(now_us - days_of[rollup.tier] * DAY_US)
                self._forget(rollup.table, project_id, before_us)
            minutes_us = now_us - retention.minutes_days * DAY_US
            for table in DETAILS.values():
                self._forget(table, project_id, minutes_us // WIDTH_US * WIDTH_US)
            self._forget("process", project_id, minutes_us, time="at_us")
            self._forget("route", project_id, now_us - ledger_days * DAY_US, time="last_us")
            for table in ("dropped", "receipt"):
                self._forget_ledger(table, project_id, now_us - ledger_days * DAY_US)

    def _forget(
        self,
        table: str,
        project_id: int,
        before_us: int,
        time: str = "start_us",
        condition: str = "true",
    ) -> None:
        """Delete a project's rows of a table from before a moment, if there are any."""
        words = {"table": table, "time": time, "condition": condition}
        with self._alone():
            parameters = {
                "project_id": project_id,
                "before_us": before_us,
                "detailed": self._next_request,
            }
            asked = load("forgettable", **words)
            if not self._rows(asked, named(asked, parameters))[0][0]:
                return
            parameters["detailed"] = self._detail_all()
            with self._changes({project_id}), self._transaction() as connection:
                statement = load("forget", **words)
                connection.execute(statement, named(statement, parameters))
                if table == "request":
                    self._note_raw_from(connection, {project_id}, before_us)

    def _note_raw_from(
        self, connection: duckdb.DuckDBPyConnection, project_ids: set[int], before_us: int
    ) -> None:
        """Remember from when on single requests are there."""
        for project_id in project_ids:
            self._raw_from[project_id] = max(before_us, self._raw_from.get(project_id, 0))
            connection.execute(
                "insert or replace into meta values (?, ?)",
                [f"{RAW_FROM}{project_id}", self._raw_from[project_id]],
            )

    def _forget_ledger(self, table: str, project_id: int, before_us: int) -> None:
        parameters = {"project_id": project_id, "before_us": before_us}
        with self._alone(), self._transaction() as connection:
            connection.execute(load("forget_ledger", table=table), parameters)
        if table == "receipt" and self._heard_us.get(project_id, before_us) < before_us:
            del self._heard_us[project_id]

    def delete_project(self, project_id: int) -> None:
        with self._alone(), self._changes({project_id}):
            with self._transaction() as connection:
                for table in TABLES_OF_A_PROJECT:
                    connection.execute(
                        f"delete from {table} where project_id = ?",  # noqa: S608  # nosec B608
                        [project_id],
                    )
                connection.execute("delete from meta where name = ?", [f"{RAW_FROM}{project_id}"])
            self._raw_from.pop(project_id, None)
            self._heard_us.pop(project_id, None)
            self._known.forget_project(project_id)
            self._operations = {
                k: v for k, v in self._operations.items() if k.project_id != project_id
            }
            self._instances = {k: v for k, v in self._instances.items() if k[0] != project_id}
