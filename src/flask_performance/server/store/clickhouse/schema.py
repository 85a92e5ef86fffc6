"""How the tables lie: on one server, or replicated and sharded over a cluster."""

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from clickhouse_driver import errors

from flask_performance.server.settings import SettingsError
from flask_performance.server.store.base import MINUTE_US, StoreUnavailableError
from flask_performance.server.store.rollups import OPERATIONS, ROLLUPS, Rollup

from .address import Address
from .engine import Engine, Server, sentence
from .queries import FOLDER, statement

#: For every question. A join finds null, not a default, where there is nothing.
SETTINGS: Final = {"join_use_nulls": 1}
ENGINE: Final = re.compile(r"@(everywhere|sharded)(?:\.([A-Za-z]+)\((\w+)\))?")


@dataclass(frozen=True)
class Layout:
    """An engine for questions, one for each shard's own tables, and how these are called."""

    engine: Engine
    shards: Sequence[Engine]
    #: What the names of a shard's own tables end in.
    local: str = ""
    #: What stands for `system.parts` of all shards.
    parts: str = "system.parts"

    @classmethod
    def of(cls, address: Address) -> "Layout":
        """Creates what is missing. Raises SettingsError."""
        engine = Server(address, SETTINGS)
        try:
            _create_database(address)
            layout = cls(engine, [engine])
            layout.create()
        except (errors.Error, StoreUnavailableError) as error:
            raise SettingsError(
                f"ClickHouse at {address} cannot be used: {sentence(error)}"
            ) from error
        return layout

    def create(self) -> None:
        """Safe twice, and by two at once."""
        for table in statements():
            self.engine.do(ENGINE.sub(_alone, table).replace("@local", ""))

    def close(self) -> None:
        self.engine.close()


def _create_database(address: Address) -> None:
    """Where it is missing: who may not create one, needs none to be created."""
    with closing(Server(replace(address, database=""))) as server:
        _, [names] = server.ask("select name from system.databases")
        if address.database not in names:
            server.do(f"create database if not exists {address.database}")


def statements() -> list[str]:
    """Of `sql/schema.sql`, and for the rollups: a table each."""
    text = (FOLDER / "schema.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    tables = [table for table in "\n".join(lines).split(";") if table.strip()]
    return tables + [_rollup(rollup) for rollup in ROLLUPS]


def _rollup(rollup: Rollup) -> str:
    by_operation = rollup in OPERATIONS
    return statement(
        "rollup",
        table=rollup.table,
        width=str(rollup.width_us),
        operation="operation_id Int64," if by_operation else "",
        key="operation_id," if by_operation else "",
        # What is coarser has fewer rows, and is kept for longer.
        partition="day" if rollup.width_us == MINUTE_US else "toYYYYMM(day)",
    )


def _alone(found: re.Match[str]) -> str:
    kind, column = found[2] or "", found[3]
    return f"{kind}MergeTree({column})" if column else "MergeTree"
