"""The engine of ClickHouse's current release, in the tests' own process."""

import contextlib
import datetime as dt
import functools
import json
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from flask_performance.server.store.clickhouse.engine import Answer


@functools.cache
def _session() -> Any:
    """The one that a process may have; its folder goes with the process."""
    from chdb.session import Session  # half a second

    session: Any = Session(_folder().name)  # type: ignore[no-untyped-call]
    session.query("set join_use_nulls = 1")
    return session


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="chdb-", ignore_cleanup_errors=True)


class ChdbEngine:
    """An `Engine` on a database of it."""

    _lock = threading.Lock()

    def __init__(self, database: str) -> None:
        self._database = database
        self._query(f"create database if not exists {database}")

    def _query(self, statement: str, kind: str = "CSV") -> str:
        return str(_session().query(statement, kind))

    def _in_database(self, statement: str, kind: str = "CSV") -> str:
        with self._lock:
            self._query(f"use {self._database}")
            return self._query(statement, kind)

    def ask(self, statement: str) -> Answer:
        said = json.loads(self._in_database(statement, "JSONCompact"))
        names = [(one["name"], one["type"]) for one in said["meta"]]
        return names, list(zip(*said["data"], strict=True)) or [()] * len(names)

    def do(self, statement: str) -> None:
        self._in_database(statement)

    def insert(self, table: str, columns: Mapping[str, list[Any]]) -> None:
        names = list(columns)
        rows = zip(*columns.values(), strict=True)
        lines = (json.dumps(dict(zip(names, row, strict=True)), default=_day) for row in rows)
        self._in_database(
            f"insert into {table} ({', '.join(names)}) format JSONEachRow {' '.join(lines)}"
        )

    def drop(self) -> None:
        with contextlib.suppress(Exception):
            self._query(f"drop database if exists {self._database}")

    def close(self) -> None:
        """The session stays."""


def _day(value: dt.date) -> str:
    return value.isoformat()
