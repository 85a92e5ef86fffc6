"""How long the pages' questions take, with many requests stored.

    python -m benchmarks.reading [MILLIONS [FOLDER]]
    python -m benchmarks.reading MILLIONS clickhouse://host:9000/database

A store with the memory and threads of the embedded default is filled with typical traffic of 31
days (`traffic.py`) that ends now. Then each question is asked of windows that end a little earlier
each time, so that no answer is one that was kept. FOLDER keeps the file for another run.
In the second form an empty database of a ClickHouse server is filled, or a full one asked again.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import duckdb

from flask_performance.server.dashboard.scope import ALL_IN_ONE_US
from flask_performance.server.dashboard.window import step_seconds
from flask_performance.server.store.base import DAY_US, SECOND_US, EventStore, Filter, Thresholds
from flask_performance.server.store.clickhouse import ClickHouseStore
from flask_performance.server.store.clickhouse.address import Address
from flask_performance.server.store.clickhouse.engine import Server
from flask_performance.server.store.details import DETAILS
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.store.rollups import ROLLUPS

from .report import keep, machine, quantile
from .traffic import PROJECT, fill, operations

MILLIONS: Final = 100.0
DAYS: Final = 31
ROUNDS: Final = 12
WINDOWS: Final = {"24h": DAY_US, "30d": 30 * DAY_US}
#: Project-wide and, beside the one of all, an operation's own.
APDEX: Final = Thresholds(500_000)
#: The five that are called most have one of their own.
OWN_APDEX: Final = Thresholds(
    500_000, tuple((one.method, one.route, 50_000) for one in operations()[:5])
)

Question = Callable[[EventStore, Filter, int], object]
QUESTIONS: Final[dict[str, Question]] = {
    "summary": lambda store, filter, _: store.summary(filter, APDEX),
    "series": lambda store, filter, step_us: store.series(filter, step_us, APDEX),
    "series with own thresholds": lambda store, filter, step_us: store.series(
        filter, step_us, OWN_APDEX
    ),
    "releases first heard": lambda store, filter, _: store.first_heard(filter, 500),
    "distribution": lambda store, filter, _: store.heatmap(filter, ALL_IN_ONE_US),
    "statuses": lambda store, filter, _: store.statuses(filter),
    "operations": lambda store, filter, _: store.operations(filter, APDEX),
    "ledger": lambda store, filter, _: store.ledger(filter),
    "requests": lambda store, filter, _: store.requests(filter, 50),
    "requests 5xx": lambda store, filter, _: store.requests(_with(filter, status="5xx"), 50),
    "requests over 10 s": lambda store, filter, _: store.requests(
        _with(filter, duration_from_us=10 * SECOND_US), 50
    ),
    "requests of an environment": lambda store, filter, _: store.requests(
        _with(filter, environment="staging"), 50
    ),
    "requests by a part of the path": lambda store, filter, _: store.requests(
        _with(filter, path="things59/98"), 50
    ),
    "summary by a part of the path": lambda store, filter, _: store.summary(
        _with(filter, path="things59/98")
    ),
    "slowest": lambda store, filter, _: store.slowest(filter, 10),
    "measures": lambda store, filter, _: store.measures(filter),
    "consumers": lambda store, filter, _: store.consumers(filter, 10),
    "unmatched": lambda store, filter, _: store.unmatched(filter, 200),
}


def _with(filter: Filter, **more: Any) -> Filter:
    return Filter(**{name: getattr(filter, name) for name in filter.__struct_fields__} | more)


def measured(ask: Callable[[int], object]) -> str:
    """Milliseconds at p50, p95 and at most; the first time is counted, too."""
    took = []
    for turn in range(ROUNDS):
        began = time.perf_counter()
        ask(turn)
        took.append((time.perf_counter() - began) * 1000)
        if sum(took) > 10_000:
            break
    took.sort()
    return f"{quantile(took, 0.5):.0f} / {quantile(took, 0.95):.0f} / {took[-1]:.0f} ms"


def questions(store: EventStore, end_us: int) -> dict[str, str]:
    """The figure of every question, about the project and about one of its operations."""
    one = operations()[2]
    mine = {"method": one.method, "route": one.route}
    figures = {}
    for window in WINDOWS:
        for whose, of in {"": {}, " of an operation": mine}.items():
            for name, question in QUESTIONS.items():
                figures[f"{window} {name}{whose}"] = asked(store, question, window, end_us, of)
                print(f"{window} {name}{whose}: {figures[f'{window} {name}{whose}']}", flush=True)
    return figures


def asked(
    store: EventStore, question: Question, window: str, end_us: int, of: dict[str, str]
) -> str:
    """The figure of one question, of windows that end a little earlier each time."""
    width_us = WINDOWS[window]
    step_us = step_seconds(width_us / SECOND_US) * SECOND_US

    def ask(turn: int) -> object:
        until_us = end_us - turn * 7_777_777
        filter = Filter(project_id=PROJECT, start_us=until_us - width_us, end_us=until_us, **of)
        return question(store, filter, step_us)

    return measured(ask)


def sizes(file: Path) -> dict[str, str]:
    """Rows and bytes of each table of requests."""
    figures = {}
    with duckdb.connect(str(file), read_only=True) as connection:
        block = connection.execute("select block_size from pragma_database_size()").fetchall()[0][0]
        tables = ("request", *(rollup.table for rollup in ROLLUPS), *DETAILS.values())
        for table in tables:
            rows = connection.execute(f"select count(*) from {table}").fetchall()[0][0]
            blocks = connection.execute(
                f"select count(distinct block_id) from pragma_storage_info('{table}') "
                "where block_id >= 0"
            ).fetchall()[0][0]
            size = blocks * block
            figures[f"size of {table}"] = (
                f"{rows} rows, {size / 1e6:.0f} MB, {size / max(1, rows):.1f} B a row"
            )
    figures["size of the file"] = f"{file.stat().st_size / 1e6:.0f} MB"
    return figures


def server_sizes(url: str) -> dict[str, str]:
    """Rows and bytes of each table of a ClickHouse server's database."""
    server = Server(Address.of(url))
    _, columns = server.ask(
        "select table, sum(rows), sum(bytes) from system.parts "
        "where active and database = currentDatabase() group by table order by table"
    )
    server.close()
    return {
        f"size of {table}": f"{rows} rows, {size / 1e6:.0f} MB, {size / max(1, rows):.1f} B a row"
        for table, rows, size in zip(*columns, strict=True)
    }


def of_server(url: str, millions: float) -> None:
    """The same of a ClickHouse server."""
    on = machine()
    figures: dict[str, Any] = {"requests": f"{millions:g} million in {DAYS} days"}
    with contextlib.closing(ClickHouseStore.open(url)) as store:
        if not store.rows()["raw"]:
            seconds = fill(store, int(millions * 1_000_000), DAYS, time.time_ns() // 1000)
            figures |= {f"seconds to {name}": f"{took:.1f} s" for name, took in seconds.items()}
        figures |= questions(store, store.last_seen_us(PROJECT) or 0)
    keep("reading_clickhouse", on, figures | server_sizes(url))


def main() -> None:
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else MILLIONS
    if len(sys.argv) > 2 and "://" in sys.argv[2]:
        of_server(sys.argv[2], millions)
        return
    on = machine()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else temporary)
        folder.mkdir(exist_ok=True)
        file = folder / "events.duckdb"
        figures: dict[str, Any] = {"requests": f"{millions:g} million in {DAYS} days"}
        made = not file.exists()
        store = DuckDBStore(file)
        end_us = time.time_ns() // 1000
        if made:
            seconds = fill(store, int(millions * 1_000_000), DAYS, end_us)
            figures |= {f"seconds to {name}": f"{took:.1f} s" for name, took in seconds.items()}
            print(seconds, flush=True)
        else:
            end_us = store.last_seen_us(PROJECT) or end_us
        store.close()
        store = DuckDBStore(file)
        figures |= questions(store, end_us)
        store.close()
        figures |= sizes(file)
    keep("reading", on, figures)


if __name__ == "__main__":
    main()
