"""Columns that DuckDB reads where they lie, and what is written that way of an app's processes."""

import contextlib
from collections.abc import Iterator
from typing import Final

import duckdb
import msgspec
import numpy as np

from .block import UNKNOWN, Block, Column, Declaration, InstanceKey, Sample, text_column
from .bounds import MOST_ROUTES
from .queries import load

ROUTE_COLUMNS: Final = (
    "project_id", "app", "environment", "release", "received_us", "method", "rule", "endpoint",
)  # fmt: skip


@contextlib.contextmanager
def registered(connection: duckdb.DuckDBPyConnection, columns: dict[str, Column]) -> Iterator[None]:
    """Makes columns readable as the table `block`."""
    connection.register("block", columns)
    try:
        yield
    finally:
        # A failed transaction refuses this too, and its own error is the one to tell.
        with contextlib.suppress(duckdb.Error):
            connection.unregister("block")


def append_processes(
    connection: duckdb.DuckDBPyConnection, block: Block, instances: Column
) -> set[int]:
    """Store what a block's processes say of themselves; the times of it."""
    said = [(receipt.instance, receipt.sample) for receipt in block.receipts if receipt.sample]
    if not said:
        return set()
    values = [
        [UNKNOWN if value is None else value for value in msgspec.structs.astuple(sample)]
        for _, sample in said
    ]
    names = Sample.__struct_fields__
    columns = dict(zip(names, np.array(values, dtype="i8").T.copy(), strict=True))
    places = [place for place, _ in said]
    columns["instance_id"] = instances[places]
    columns["project_id"] = np.array([block.instances[place].project_id for place in places])
    with registered(connection, columns):
        connection.execute(load("append_processes"))
    return {sample.at_us for _, sample in said}


def declare_routes(connection: duckdb.DuckDBPyConnection, block: Block) -> None:
    """Note the routes that a block's apps declare."""
    for said in block.declarations:
        if said.routes:
            with registered(connection, _route_columns(block.instances[said.instance], said)):
                connection.execute(load("declare_known"))
                connection.execute(load("declare_new"), {"most": MOST_ROUTES})


def _route_columns(instance: InstanceKey, said: Declaration) -> dict[str, Column]:
    shared = (instance.project_id, said.app, instance.environment, instance.release)
    rows = [(*shared, said.received_us, *route) for route in said.routes]
    return {
        name: np.array(values) if isinstance(values[0], int) else text_column(list(values))
        for name, values in zip(ROUTE_COLUMNS, zip(*rows, strict=True), strict=True)
    }
