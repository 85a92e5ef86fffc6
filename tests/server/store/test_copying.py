"""An embedded store's requests in ClickHouse: the same answers, wherever the copy was killed."""

import asyncio
import contextlib
import dataclasses
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from flask_performance.server.commands import cli
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings
from flask_performance.server.store.base import DAY_US, EventStore, Filter, Retention, Thresholds
from flask_performance.server.store.block import Block, Declaration, Sample
from flask_performance.server.store.clickhouse import ClickHouseStore
from flask_performance.server.store.clickhouse.address import Address
from flask_performance.server.store.clickhouse.attempts import Attempts
from flask_performance.server.store.clickhouse.copying import Intake
from flask_performance.server.store.clickhouse.layout import Layout
from flask_performance.server.store.copying import OtherInstallationError, copy, differences
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.store.duckdb_copying import Source
from tests.support.clickhouse import ClickHouseServer

from .builders import NOON_US, block
from .dying import Dying
from .model import HOUR_US, MINUTE_US

pytestmark = pytest.mark.slow

DAYS = 6
END_US = NOON_US + DAYS * DAY_US
OPERATIONS = ("GET /", "POST /users/<int:id>", "GET ")
KEPT = Retention(raw_days=2, minutes_days=4, hours_days=9)


def requests(chance: random.Random, count: int, start_us: int) -> list[dict[str, object]]:
    """Of a day, of which some asked in vain and some say who they are."""
    rows: list[dict[str, object]] = []
    for _ in range(count):
        operation = chance.choice(OPERATIONS)
        duration_us = int(chance.lognormvariate(9, 2)) + 1
        rows.append(
            {
                "start_us": start_us + chance.randrange(DAY_US),
                "duration_us": duration_us,
                "cpu_us": chance.choice((-1, 0, duration_us // 3)),
                "response_bytes": chance.randrange(5_000),
                "operation": operation,
                "status": chance.choice((200, 404, 500)) if operation != "GET " else 404,
                "outcome": chance.choice((0, 0, 0, 1, 2)),
                "path": f"/{chance.randrange(40)}" if operation == "GET " else None,
                "consumer": chance.choice((None, "ada", "bob")),
            }
        )
    return rows


def speaking(made: Block, number: int, at_us: int) -> Block:
    """With what a process says of itself, and the routes of its app."""
    sample = Sample(
        at_us=at_us, cpu_us=number * 1_000_000, busy_us=number * 2_000_000,
        memory_bytes=50_000_000 + number % 3, concurrent=2, threads=4,
    )  # fmt: skip
    receipts = [
        type(one)(
            **{name: getattr(one, name) for name in one.__struct_fields__} | {"sample": sample}
        )
        for one in made.receipts
    ]
    said = Declaration(
        instance=0, received_us=at_us, app="shop",
        routes=[("GET", "/", "shop.home"), ("POST", "/users/<int:id>", None)],
    )  # fmt: skip
    return dataclasses.replace(made, receipts=receipts, declarations=[said])


def fill(store: DuckDBStore) -> None:
    """Two projects' days, with all upkeep: of some days there are rollups alone, the newest are in
    none; a batch is missing; clients dropped some, and so did the platform."""
    chance, position, numbers = random.Random(11), 0, dict.fromkeys((1, 2), 0)
    for day in range(DAYS):
        for project_id in (1, 2):
            for hour in (1, 2, 2, 9):
                numbers[project_id] += 1
                number, position = numbers[project_id], position + 1
                at_us = NOON_US + day * DAY_US + hour * HOUR_US + number
                if number == 7:
                    continue  # it is lost
                made = block(
                    requests(chance, 60, NOON_US + day * DAY_US), project_id=project_id,
                    wire_id=f"{project_id}" * 32, number=number, sent_total=60 * number,
                    received_us=at_us, dropped_totals={"ignored": number, "buffer_full": 3},
                    environment="production" if project_id == 1 else None,
                    dead_letters=2 if number == 9 else 0,
                )  # fmt: skip
                store.append(speaking(made, number, at_us), position)
        store.append(block([{"start_us": NOON_US + day * DAY_US}] * 3, number=None, wire_id="2019"),
                     position := position + 1)  # fmt: skip
        if day < DAYS - 1:
            store.roll()
            store.maintain(NOON_US + (day + 1) * DAY_US)
    store.forget(END_US, {1: KEPT})


Ask = Callable[[EventStore, Filter], Any]
ASKED: dict[str, Ask] = {
    "summary": lambda store, filter: store.summary(filter, Thresholds(10_000)),
    "operations": lambda store, filter: store.operations(filter),
    "series": lambda store, filter: store.series(filter, HOUR_US),
    "series by minute": lambda store, filter: store.series(filter, 5 * MINUTE_US)[-300:],
    "statuses": lambda store, filter: store.statuses(filter),
    "heatmap": lambda store, filter: store.heatmap(filter, 6 * HOUR_US),
    "ledger": lambda store, filter: store.ledger(filter),
    "requests": lambda store, filter: [
        _without_id(row) for row in store.requests(filter, 10_000).rows
    ],
    "slowest": lambda store, filter: [row.duration_us for row in store.slowest(filter, 20)],
    "consumers": lambda store, filter: store.consumers(filter, 5),
    "unmatched": lambda store, filter: store.unmatched(filter, 500),
    "measures": lambda store, filter: store.measures(filter),
    "instances": lambda store, filter: store.instances(filter, 10),
    "first heard": lambda store, filter: store.first_heard(filter, 10),
    "declared": lambda store, filter: store.declared(filter.project_id),
    "last called": lambda store, filter: store.last_called(filter.project_id),
    "environments": lambda store, filter: store.last_seen_by_environment(filter.project_id),
    "batches": lambda store, filter: [
        store.has_batch(filter.project_id, f"{filter.project_id}" * 32, number)
        for number in range(1, 4 * DAYS + 2)
    ],
    "last seen": lambda store, filter: store.last_seen_us(filter.project_id),
    "projects": lambda store, _: store.project_ids(),
}


def _without_id(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__ if name != "id"}


def answers(store: EventStore) -> dict[str, Any]:
    """To everything, of windows of whole days and hours (drops are told by the minute)."""
    found: dict[str, Any] = {}
    for project_id in (1, 2):
        for name, (first, last) in {
            "all": (0, DAYS * 24), "old": (0, 24), "new": (100, DAYS * 24), "half": (30, 75),
        }.items():  # fmt: skip
            filter = Filter(
                project_id=project_id, start_us=NOON_US + first * HOUR_US,
                end_us=NOON_US + last * HOUR_US,
            )  # fmt: skip
            for question, ask in ASKED.items():
                found[f"{question} of {project_id}, {name}"] = ask(store, filter)
    return found


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBStore]:
    with contextlib.closing(
        DuckDBStore(tmp_path_factory.mktemp("data") / "events.duckdb")
    ) as store:
        fill(store)
        yield store


@pytest.fixture
def url(server: ClickHouseServer) -> str:
    return server.url(f"u_{uuid4().hex}")


@pytest.fixture
def layout(url: str) -> Iterator[Layout]:
    with contextlib.closing(Layout.of(Address.of(url))) as layout:
        yield layout


def copied(store: DuckDBStore, layout: Layout, name: str = "this") -> tuple[int, int]:
    """How many rows there were, and how many of them were there already."""
    told: list[int] = []
    with store.at_rest() as connection:
        source, intake = Source(connection), Intake(layout)
        copy(source, intake, name, lambda *rows: told.extend(rows), lambda _: None)
        assert differences(source, intake) == []
    rows, there = told
    return rows, there


def test_the_copy_answers_alike_wherever_it_was_killed(
    embedded: DuckDBStore, layout: Layout, url: str
) -> None:
    for behind in (False, True):
        for changes in (0, 1, 9, 22):
            engine = Dying(layout.engine, changes, behind=behind)
            with pytest.raises(KeyboardInterrupt):
                copied(embedded, Layout(engine, [engine]))
    rows, there = copied(embedded, layout)
    assert rows > there > 0
    assert copied(embedded, layout) == (rows, rows)
    with contextlib.closing(ClickHouseStore.open(url)) as store:
        here, found = answers(embedded), answers(store)
        assert {question for question in here if found[question] != here[question]} == set()
        _goes_on(store)


def _goes_on(store: ClickHouseStore) -> None:
    """What comes now is stored, rolled up and forgotten as anywhere."""
    day = Filter(project_id=1, start_us=NOON_US, end_us=END_US)
    before = store.summary(day).requests
    kept = len(store.requests(day, 10_000).rows)
    [row] = store.requests(day, 1).rows
    assert store.request(1, row.id) == row
    made = block(
        [{"start_us": END_US - HOUR_US}] * 5, wire_id="1" * 32, number=99, sent_total=1_445
    )
    store.append(dataclasses.replace(made, id="a" * 32))
    store.roll()
    assert store.summary(day).requests == before + 5
    store.forget(END_US + DAY_US, {1: KEPT})
    assert 5 <= len(store.requests(day, 10_000).rows) < kept
    assert store.summary(day).requests == before + 5


def test_a_day_that_changed_is_copied_again(tmp_path: Path, layout: Layout) -> None:
    with contextlib.closing(DuckDBStore(tmp_path / "events.duckdb")) as store:
        store.append(block([{"start_us": NOON_US - DAY_US}] * 9), 1)
        copied(store, layout)
        store.append(block([{}] * 4, number=2, sent_total=13), 2)
        rows, there = copied(store, layout)
        assert rows > there > 0
        store.delete_project(1)
        assert copied(store, layout) == (0, 0)


def test_another_installation_is_refused(tmp_path: Path, layout: Layout) -> None:
    with contextlib.closing(DuckDBStore(tmp_path / "events.duckdb")) as store:
        store.append(block([{}]), 1)
        copied(store, layout)
        with pytest.raises(OtherInstallationError, match="another data folder"):
            copied(store, layout, "other")


def test_a_database_with_requests_of_its_own_is_refused(
    tmp_path: Path, layout: Layout, url: str
) -> None:
    with contextlib.closing(ClickHouseStore.open(url)) as used:
        used.append(block([{}]))
    with contextlib.closing(DuckDBStore(tmp_path / "events.duckdb")) as store:
        store.append(block([{}]), 1)
        with pytest.raises(OtherInstallationError, match="holds requests already"):
            copied(store, layout)


# -- the command -----------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["copy-store", *map(str, arguments)])


def test_the_command_copies_counts_and_goes_on(tmp_path: Path, url: str) -> None:
    with contextlib.closing(DuckDBStore(Settings.read(tmp_path).events)) as store:
        store.append(block([{}] * 7), 1)
    done = run(tmp_path, url)
    assert (done.exit_code, "Both sides have the same" in done.output) == (0, True), done.output
    again = run(tmp_path, url)
    rows = re.search(r"(\d+) rows, (\d+) of them", again.output)
    assert rows is not None
    assert rows[1] == rows[2]
    with contextlib.closing(ClickHouseStore.open(url)) as store:
        now = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + HOUR_US)
        assert store.summary(now).requests == 7


def test_the_command_says_what_differs(tmp_path: Path, layout: Layout, url: str) -> None:
    with contextlib.closing(DuckDBStore(Settings.read(tmp_path).events)) as store:
        store.append(block([{}] * 7), 1)
    assert run(tmp_path, url).exit_code == 0
    Attempts(layout.engine, layout.shards, layout.local).delete_rows("request", "status = 200")
    differing = run(tmp_path, url)
    assert differing.exit_code == 1
    assert "request of project 1, 2025-11-21: 7 rows here" in differing.output
    assert "0 there" in differing.output


def test_the_command_leaves_nothing_in_the_journal(tmp_path: Path) -> None:
    settings = Settings.read(tmp_path)
    DuckDBStore(settings.events).close()
    with contextlib.closing(Journal(settings.journal)) as journal:
        asyncio.run(journal.put(Envelope(project_id=1, received_us=1, gzip=False, body=b"{}")))
    refused = run(tmp_path, "clickhouse://127.0.0.1/none")
    assert refused.exit_code == 1
    assert "wait in the journal" in refused.output


def test_the_command_needs_a_store_and_somewhere_to_go(tmp_path: Path) -> None:
    assert "holds no event store" in run(tmp_path, "clickhouse://127.0.0.1/none").output
    assert "STORE_URL" in run(tmp_path).output
