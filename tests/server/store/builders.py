"""A realistic block in one call."""

from collections.abc import Sequence

import numpy as np

from flask_performance.server.store.block import (
    INTEGERS,
    TEXTS,
    UNKNOWN,
    Block,
    InstanceKey,
    OperationKey,
    Receipt,
    text_column,
)

#: A Friday noon, UTC, at the start of an hour.
NOON_US = 1_763_726_400_000_000


def block(
    requests: Sequence[dict[str, object]],
    *,
    project_id: int = 1,
    wire_id: str = "a" * 32,
    endpoint: str | None = None,
    environment: str | None = "production",
    number: int | None = 1,
    received_us: int = NOON_US,
    sent_total: int | None = None,
    waiting: int = 0,
    final: bool = False,
    dropped_totals: dict[str, int] | None = None,
    dead_letters: int = 0,
) -> Block:
    """One batch. A request is a dict of columns; `operation` is "GET /route"."""
    names = list(dict.fromkeys(str(row.get("operation", "GET /")) for row in requests))
    defaults: dict[str, object] = {
        **dict.fromkeys(INTEGERS, UNKNOWN),
        "project_id": project_id, "instance": 0, "start_us": received_us, "duration_us": 1000,
        "status": 200, "outcome": 0,
    }  # fmt: skip
    rows = [
        defaults | row | {"operation": names.index(str(row.get("operation", "GET /")))}
        for row in requests
    ]
    columns = {
        name: np.array([row[name] for row in rows], dtype=kind) for name, kind in INTEGERS.items()
    }
    columns |= {name: text_column([row.get(name) for row in requests]) for name in TEXTS}  # type: ignore[misc]
    return Block(
        columns=columns,
        operations=[OperationKey(project_id, *_method_and_route(name), endpoint) for name in names],
        instances=[InstanceKey(project_id=project_id, wire_id=wire_id, environment=environment)],
        receipts=[
            Receipt(
                instance=0, received_us=received_us, stored=len(rows), number=number,
                sent_total=len(rows) if sent_total is None and number is not None else sent_total,
                waiting=waiting, final=final, dropped_totals=dropped_totals or {},
                refused={"dead_letter": dead_letters} if dead_letters else {},
            )
        ],
    )  # fmt: skip


def _method_and_route(name: str) -> tuple[str, str]:
    method, _, route = name.partition(" ")
    return method, route
