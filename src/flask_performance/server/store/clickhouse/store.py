"""Storing blocks in ClickHouse."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from flask_performance.server.store.base import Retention
from flask_performance.server.store.block import Block, Column, InstanceKey, OperationKey
from flask_performance.server.store.bounds import MOST_ROUTES, bounded
from flask_performance.server.store.process_reader import ProcessReader

from . import columns
from .address import Address
from .attempts import BLOCK, Attempts
from .columns import Columns, Told
from .detailed import ClickHouseDetailed
from .layout import Layout
from .queries import statement
from .upkeep import Upkeep

#: Instances that are remembered as written.
MOST_INSTANCES = 500_000


class ClickHouseStore(ClickHouseDetailed, ProcessReader):
    """`EventStore` on a server or a cluster."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._engine = layout.engine
        self._parts = layout.parts
        self._attempts = Attempts(layout.engine, layout.shards, layout.local)
        self._upkeep = Upkeep(layout, self._attempts)
        self._lock = threading.Lock()
        self._forget_memory()

    @classmethod
    def open(cls, url: str, *, everywhere: bool = False) -> "ClickHouseStore":
        """Raises SettingsError where the URL or what answers there is not usable. `everywhere`: all
        servers of a cluster have to be there."""
        return cls(Layout.of(Address.of(url), everywhere=everywhere))

    def _forget_memory(self) -> None:
        """What is written already; it only saves writing it again."""
        self._known_operations: dict[OperationKey, int] = {}
        self._projects_known: set[int] = set()
        self._known_instances: set[int] = set()
        self._told = Told()

    # -- writing ---------------------------------------------------------------------------------

    def position(self) -> int:
        return 0

    def has_batch(self, project_id: int, instance: str, number: int) -> bool:
        which = {
            "project_id": project_id,
            "instance_id": columns.instance_id(
                InstanceKey(project_id=project_id, wire_id=instance)
            ),
            "number": number,
            # Of a block that comes again, this may be asked before it is begun anew.
            "garbage": self._attempts.state().unfinished,
        }
        return bool(self._rows(statement("has_batch"), which))

    def append(self, block: Block, position: int | None = None) -> None:  # noqa: ARG002
        begun = self._attempts.begin(block.id)
        if begun is not None:
            attempt = begun.attempt
            instances = self._instance_ids(block, attempt)
            self._insert_rows(block, attempt, instances)
            starts = block.columns["start_us"]
            first_us, last_us = (int(starts.min()), int(starts.max())) if block.requests else (0, 0)
            self._attempts.commit(
                attempt, BLOCK, first_us=first_us, last_us=last_us, covered=begun.instead_of
            )
            self._told.note(block, instances)
        self._upkeep.note_changes(block.project_ids)

    def _insert_rows(self, block: Block, attempt: int, instances: Column) -> None:
        if block.requests > columns.MOST_REQUESTS:
            raise ValueError(f"a block of {block.requests} requests: ids have room for fewer")
        if block.requests:
            operations = self._operation_ids(block.operations, attempt)
            self._insert("request", columns.request_columns(block, attempt, operations, instances))
        self._insert("receipt", columns.receipt_columns(block, attempt, instances))
        self._insert("dropped", self._told.columns(block, attempt, instances))
        self._insert("process", columns.process_columns(block, attempt, instances))
        self._declare_routes(block)

    def _insert(self, table: str, values: Columns) -> None:
        if any(values.values()):
            self._engine.insert(table, values)

    def _operation_ids(self, keys: Sequence[OperationKey], attempt: int) -> Column:
        with self._lock:
            new = {key.project_id for key in keys} - self._projects_known
            if new:
                self._known_operations |= self._operations_of(sorted(new))
                self._projects_known |= new
            stored = bounded(keys, self._known_operations.keys())
            unknown = [
                key for key in dict.fromkeys(stored.values()) if key not in self._known_operations
            ]
            ids = {columns.operation_id(key): key for key in unknown}
            self._insert("operation", columns.operation_columns(ids, attempt))
            self._known_operations |= {key: id for id, key in ids.items()}
            return np.array([self._known_operations[stored[key]] for key in keys], dtype="i8")

    def _instance_ids(self, block: Block, attempt: int) -> Column:
        ids = [columns.instance_id(key) for key in block.instances]
        with self._lock:
            if len(self._known_instances) > MOST_INSTANCES:
                self._known_instances.clear()
            places = [place for place, id in enumerate(ids) if id not in self._known_instances]
            new = {ids[place]: block.instances[place] for place in places}
            first_us = block.first_us[places].tolist()
            self._insert("instance", columns.instance_columns(new, first_us, attempt))
            self._known_instances |= new.keys()
        return np.array(ids, dtype="i8")

    def _declare_routes(self, block: Block) -> None:
        for said in block.declarations:
            key = block.instances[said.instance]
            rows = self._rows(statement("known_routes"), {"project_id": key.project_id})
            known = {id for (id,) in rows}
            room = MOST_ROUTES - len(known)
            self._insert("route", columns.route_columns(key, said, known, room))

    # -- what changes it otherwise ---------------------------------------------------------------

    def revision(self, project_id: int) -> int:
        [(changes,)] = self._rows(statement("revision"), {"project_id": project_id})
        return int(changes)

    def export(self, project_id: int, start_us: int, end_us: int, file: Path) -> Iterator[float]:
        # Workers, which never export, need no DuckDB.
        from flask_performance.server.store.duckdb_export import exported_by_pages

        yield from exported_by_pages(self, project_id, start_us, end_us, file)

    def delete_project(self, project_id: int) -> None:
        self._upkeep.delete_project(project_id)
        with self._lock:
            self._forget_memory()

    def forget(self, now_us: int, kept: Mapping[int, Retention]) -> None:
        self._upkeep.forget(now_us, kept)

    def roll(self) -> None:
        self._upkeep.roll()

    def maintain(self, now_us: int) -> None:  # noqa: ARG002
        self._upkeep.clean()

    def _raw_from(self, project_ids: Sequence[int]) -> int:
        return self._upkeep.raw_from(project_ids)

    def rows(self) -> dict[str, int]:
        tiers = {"request": "raw", "rollup_minute": "minutes", "rollup_hour": "hours"}
        which = {"database": self._layout.database}
        asked = statement("rows", parts=self._parts, local=self._layout.local)
        return {tiers[table]: rows for table, rows in self._rows(asked, which)}

    def close(self) -> None:
        self._layout.close()
