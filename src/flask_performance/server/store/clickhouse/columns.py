"""A block as columns of ClickHouse's tables."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from flask_performance.server.store.block import (
    INTEGERS,
    TEXTS,
    UNKNOWN,
    Block,
    Column,
    Declaration,
    InstanceKey,
    OperationKey,
    Sample,
)
from flask_performance.server.store.latency import least_of

from .attempts import PLACE_BITS, day_of, hashed

Columns = dict[str, list[Any]]
#: The least duration of every bucket: exact, where a logarithm might be off by one.
LEAST: Final = np.array(
    [least_of(bucket) for bucket in range(2200) if least_of(bucket) < 2**63], dtype="i8"
)
#: Columns of requests that are left out where nothing of them is known.
OPTIONAL: Final = ("first_byte_us", "request_bytes", "response_bytes", "cpu_us", "queue_us", *TEXTS)
#: Versions of rows of which the oldest stays.
OLDEST: Final = 2**63
MOST_REQUESTS: Final = 2**PLACE_BITS


def buckets(durations_us: Column) -> Column:
    """The latency bucket of every duration, as `latency.py` has it."""
    return np.maximum(np.searchsorted(LEAST, durations_us, "right") - 1, 0).astype("i2")


def operation_id(key: OperationKey) -> int:
    return hashed(*msgspec.structs.astuple(key))


def instance_id(key: InstanceKey) -> int:
    return hashed(key.project_id, key.wire_id)


def request_columns(block: Block, attempt: int, operations: Column, instances: Column) -> Columns:
    """All requests of a block."""
    columns: dict[str, Column] = {
        name: column
        for name, column in block.columns.items()
        if name not in ("operation", "instance")
    }
    for name in columns.keys() & set(OPTIONAL):
        column = columns[name]
        known = column != (UNKNOWN if name in INTEGERS else None)
        if not known.any():
            del columns[name]
    places = block.columns["instance"]
    for name in ("environment", "release"):
        said = np.array([getattr(key, name) for key in block.instances] or [None], dtype=object)
        if any(one is not None for one in said):
            columns[name] = said[places]
    columns["id"] = (attempt << PLACE_BITS) + np.arange(block.requests)
    columns["bucket"] = buckets(columns["duration_us"])
    columns["operation_id"] = operations[block.columns["operation"]]
    columns["instance_id"] = instances[places]
    found = {name: column.tolist() for name, column in columns.items()}
    return found | {"day": [day_of(attempt)] * block.requests}


def receipt_columns(block: Block, attempt: int, instances: Column) -> Columns:
    rows = []
    for receipt in block.receipts:
        key = block.instances[receipt.instance]
        sent_total = UNKNOWN if receipt.sent_total is None else receipt.sent_total
        rows.append(
            (key.project_id, int(instances[receipt.instance]), receipt.received_us,
             receipt.number or UNKNOWN, sent_total, receipt.stored, sum(receipt.refused.values()),
             receipt.waiting, int(receipt.final), key.environment)
        )  # fmt: skip
    names = ("project_id", "instance_id", "received_us", "number", "sent_total", "stored",
             "refused", "waiting", "final", "environment")  # fmt: skip
    return _marked(_by_column(names, rows), attempt)


class Told:
    """The clients' totals of drops that are written already: only what changed is written again.

    A memory that is lost or that lags behind costs rows, not truth.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._totals: dict[tuple[int, str], int] = {}

    def columns(self, block: Block, attempt: int, instances: Column) -> Columns:
        rows = []
        for receipt in block.receipts:
            key, id = block.instances[receipt.instance], int(instances[receipt.instance])
            where = (key.project_id, id, receipt.received_us)
            for reason, total in receipt.dropped_totals.items():
                if total > self._totals.get((id, reason), 0):
                    rows.append((*where, reason, 0, total, key.environment))
            for reason, count in receipt.refused.items():
                rows.append((*where, reason, count, UNKNOWN, key.environment))
        names = ("project_id", "instance_id", "received_us", "reason", "requests", "total",
                 "environment")  # fmt: skip
        return _marked(_by_column(names, rows), attempt)

    def note(self, block: Block, instances: Column) -> None:
        """The block is stored."""
        if len(self._totals) > self._most:
            self._totals.clear()
        for receipt in block.receipts:
            for reason, total in receipt.dropped_totals.items():
                key = (int(instances[receipt.instance]), reason)
                self._totals[key] = max(total, self._totals.get(key, 0))

    def clear(self) -> None:
        self._totals.clear()


def process_columns(block: Block, attempt: int, instances: Column) -> Columns:
    rows = [
        (block.instances[receipt.instance].project_id, int(instances[receipt.instance]),
         *msgspec.structs.astuple(receipt.sample))
        for receipt in block.receipts if receipt.sample
    ]  # fmt: skip
    names = ("project_id", "instance_id", *Sample.__struct_fields__)
    return _marked(_by_column(names, rows), attempt)


def operation_columns(keys: Mapping[int, OperationKey], attempt: int) -> Columns:
    columns: Columns = {"id": list(keys)}
    for name in OperationKey.__struct_fields__:
        columns[name] = [getattr(key, name) for key in keys.values()]
    return columns | _seen(len(keys), attempt)


def instance_columns(
    keys: Mapping[int, InstanceKey], first_us: Iterable[int], attempt: int
) -> Columns:
    columns: Columns = {"id": list(keys), "first_us": list(first_us)}
    for name in InstanceKey.__struct_fields__:
        columns[name] = [getattr(key, name) for key in keys.values()]
    return columns | _seen(len(keys), attempt)


def route_id(key: InstanceKey, app: str, route: tuple[str, str, str | None]) -> int:
    return hashed(key.project_id, app, key.environment, *route)


def route_columns(key: InstanceKey, said: Declaration, known: set[int], room: int) -> Columns:
    """Both edges of each route that is known, or that there is room for."""
    rows = []
    for method, rule, endpoint in said.routes:
        id = route_id(key, said.app, (method, rule, endpoint))
        if id not in known:
            if room <= 0:
                continue
            room -= 1
        for edge, version in enumerate((OLDEST - said.received_us, OLDEST + said.received_us)):
            rows.append(
                (key.project_id, id, edge, said.app, key.environment, method, rule, endpoint,
                 key.release, said.received_us, version)
            )  # fmt: skip
    names = ("project_id", "id", "edge", "app", "environment", "method", "rule", "endpoint",
             "release", "received_us", "version")  # fmt: skip
    return _by_column(names, rows)


def _seen(count: int, attempt: int) -> Columns:
    return {"seen": [attempt] * count, "version": [OLDEST - attempt] * count}


def _by_column(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Columns:
    if not rows:
        return {name: [] for name in names}
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def _marked(columns: Columns, attempt: int) -> Columns:
    count = len(next(iter(columns.values())))
    return columns | {"attempt": [attempt] * count, "day": [day_of(attempt)] * count}
