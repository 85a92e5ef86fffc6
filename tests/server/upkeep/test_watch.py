"""The disk: its budget is kept, what is deleted is said, and trouble is said before it is there."""

import asyncio
import contextlib
import dataclasses
import logging
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from flask_performance.server.app import create_web
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings, SettingsError, SignUp
from flask_performance.server.store.base import HOUR_US, Filter
from flask_performance.server.store.block import Block, text_column
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.store.duckdb_room import fair_level, shrink
from flask_performance.server.upkeep.watch import Watch, make_smaller, size
from tests.server.accounts.support import PASSWORD, Browser
from tests.server.store.builders import NOON_US, block
from tests.support.waiting import wait_for

MB = 10**6
BUDGET = 50 * MB
STEP = 40_000
#: What DuckDB writes beside its file before it takes it over.
LOG = 16 * MB


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, disk_budget=BUDGET)


@pytest.fixture
def store(settings: Settings) -> Iterator[DuckDBStore]:
    with contextlib.closing(DuckDBStore(settings.events)) as store:
        yield store


def hour(store: DuckDBStore, number: int, rows: int = STEP) -> None:
    """Requests of an hour whose paths no encoding makes small."""
    one = block([{}], number=number + 1, project_id=1 + number % 2)
    columns = {name: np.repeat(column, rows) for name, column in one.columns.items()}
    columns["start_us"] = NOON_US + number * HOUR_US + np.arange(rows)
    text = secrets.token_hex(20 * rows)
    columns["path"] = text_column([text[at : at + 40] for at in range(0, len(text), 40)])
    receipt = msgspec.structs.replace(one.receipts[0], stored=rows, sent_total=None)
    store.append(Block(columns, one.operations, one.instances, [receipt]), number + 1)


def in_folder(settings: Settings) -> int:
    return sum(file.stat().st_size for file in settings.data.iterdir())


def kept(store: DuckDBStore, number: int) -> int:
    """How many requests of an hour can be found one by one."""
    start_us = NOON_US + number * HOUR_US
    filter = Filter(
        project_id=1 + number % 2, start_us=start_us, end_us=start_us + HOUR_US, instance="a" * 32
    )
    return store.summary(filter).requests


@pytest.mark.slow
def test_the_folder_stops_growing_and_the_newest_stays(
    settings: Settings, store: DuckDBStore, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(settings, store)
    for number in range(60):
        hour(store, number)
        store.roll()
        watch.look()
        assert in_folder(settings) <= BUDGET + LOG
    assert kept(store, 0) == kept(store, 1) == 0, "the oldest of both projects went"
    assert kept(store, 59) == kept(store, 58) == STEP
    everything = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 100 * HOUR_US)
    assert store.summary(everything).requests == 30 * STEP, "the rollups still have them"
    [words] = watch.notices()
    assert words.startswith("Single requests of the 2 projects with the most were deleted, ")
    assert words.endswith(f"within its disk budget of {size(BUDGET)}.")
    assert words in caplog.text
    for project_id in (1, 2):
        [said] = watch.deletions(project_id)
        assert said.startswith("Single requests from before ")
    assert Watch(settings, store).notices() == [words], "a restart forgets nothing"


@pytest.mark.slow
def test_a_smaller_budget_deletes_at_once_and_shrinks_the_file_at_the_next_start(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings = dataclasses.replace(settings, disk_budget=BUDGET // 2)
    with contextlib.closing(DuckDBStore(settings.events)) as store:
        for number in range(60):
            hour(store, number)
        store.roll()
        before = settings.events.stat().st_size
        assert before > BUDGET
        watch = Watch(settings, store)
        watch.look()
        assert watch.taken() <= BUDGET // 2
        position = store.position()
    make_smaller(settings)
    assert settings.events.stat().st_size <= BUDGET // 2
    assert "was written anew" in caplog.text
    assert not list(settings.data.glob("*.smaller*"))
    with contextlib.closing(DuckDBStore(settings.events)) as store:
        assert store.position() == position
        assert kept(store, 59) == STEP
        hour(store, 60)
        assert kept(store, 60) == STEP
    shrink(settings.events, 0)
    assert shrink(settings.events, 0) is None, "nothing to gain"


def test_administrators_see_it_on_every_page_and_others_do_not(
    settings: Settings, store: DuckDBStore
) -> None:
    hour(store, 0, 50)
    store.roll()
    watch = Watch(dataclasses.replace(settings, disk_budget=1), store)
    watch.look()
    web = create_web(dataclasses.replace(settings, signup=SignUp.OPEN), store, watch)
    administrator, other = Browser(web), Browser(web)
    administrator.sign_up()
    other.post("/signup", form_at="/signup", email="grace@example.org", password=PASSWORD)
    said = administrator.get("/projects").text
    assert "Single requests of the project with the most were deleted, from before 21 " in said
    assert "is too small" in administrator.get("/teams").text
    assert "grace@example.org" in (page := other.get("/projects").text)
    assert "disk budget" not in page


def test_when_single_requests_are_gone_minutes_go_and_then_hours(
    settings: Settings, store: DuckDBStore
) -> None:
    hour(store, 0, 50)
    store.roll()
    watch = Watch(dataclasses.replace(settings, disk_budget=1), store)
    watch.look()
    start = [words.split(" from ")[0] for words in watch.deletions(1)]
    assert start == ["Single requests", "Minutes", "Hours"]
    assert "is too small: nothing is left" in watch.notices()[0]
    everything = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 100 * HOUR_US)
    assert store.summary(everything).requests == 0
    assert store.ledger(everything).stored == 50, "the ledger stays"


def test_what_is_in_no_rollup_yet_is_not_deleted(settings: Settings, store: DuckDBStore) -> None:
    hour(store, 0, 50)
    assert store.thin("raw", 1.0) == {}
    assert kept(store, 0) == 50


def test_a_noisy_project_pays_for_its_noise_itself(settings: Settings, store: DuckDBStore) -> None:
    """The others keep what is far older, as long as they take less room."""
    hour(store, 0, 500)  # of project 1; what is noisy belongs to project 2
    for number in range(1, 20, 2):
        hour(store, number, 1_000)
    store.roll()
    went = store.thin("raw", 0.5)
    assert list(went) == [2]
    assert (kept(store, 0), kept(store, 1), kept(store, 19)) == (500, 0, 1_000)
    assert sum(kept(store, number) for number in range(1, 20, 2)) == pytest.approx(4_750, rel=0.05)
    watch = Watch(dataclasses.replace(settings, disk_budget=1), store)
    watch.look()
    assert kept(store, 0) == 0, "in the end there is no other way"
    assert len(watch.deletions(1)) == len(watch.deletions(2)) == 3
    assert watch.deletions(3) == []


@pytest.mark.parametrize(
    ("taken", "share", "level"),
    [
        ({1: 100, 2: 900}, 0.5, 400),
        ({1: 100, 2: 100}, 0.1, 90),
        ({1: 2, 2: 1}, 0.1, 1),
        ({1: 10, 2: 20, 3: 970}, 0.9, 70),
        ({1: 40, 2: 50, 3: 60}, 0.9, 5),
        ({1: 40, 2: 50}, 1.0, 0),
        ({}, 0.5, 0),
    ],
)
def test_who_takes_the_most_room_gives_way_first(
    taken: dict[int, int], share: float, level: int
) -> None:
    assert fair_level(taken, share) == level


def test_an_emptied_journal_costs_no_history(settings: Settings, store: DuckDBStore) -> None:
    """After a backlog its file is large, and nothing is in it."""
    hour(store, 0, 50)
    store.roll()
    with contextlib.closing(Journal(settings.journal)) as journal:

        async def put() -> None:
            waiting = (Envelope(1, NOON_US, False, bytes(200_000)) for _ in range(300))
            await asyncio.gather(*map(journal.put, waiting))

        asyncio.run(put())
        watch = Watch(settings, store)
        wait_for(lambda: watch.taken() > BUDGET, 10, "a backlog that takes room")
        journal.forget(300, 0)
        assert settings.journal.stat().st_size > BUDGET
        wait_for(lambda: watch.taken() < BUDGET / 2, 20, "an empty journal")
        watch.look()
    assert kept(store, 0) == 50


def test_a_deletion_shows_in_open_pages(settings: Settings, store: DuckDBStore) -> None:
    hour(store, 0, 50)
    store.roll()
    before = store.revision(1)
    store.thin("raw", 1.0)
    assert store.revision(1) > before


def test_without_a_budget_nothing_is_deleted(tmp_path: Path, store: DuckDBStore) -> None:
    watch = Watch(Settings(data=tmp_path), store)
    hour(store, 0, 50)
    store.roll()
    watch.look()
    make_smaller(Settings(data=tmp_path))
    assert (kept(store, 0), watch.notices()) == (50, [])


def test_little_room_is_said_before_there_is_none(
    tmp_path: Path,
    store: DuckDBStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch(Settings(data=tmp_path), store)
    usage = type("Usage", (), {"free": 2 * 10**9, "total": 40 * 10**9})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for _ in range(3):
        watch.look()
    [words] = watch.notices()
    assert "has 2.0 GB left of 40.0 GB" in words
    assert caplog.text.count(words) == 1, "once an hour"
    monkeypatch.undo()
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: type("U", (), {"free": 9e12, "total": 9e12})
    )
    watch.look()
    assert watch.notices() == []


def test_a_folder_that_cannot_be_written_any_more_is_said(
    tmp_path: Path, store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(Settings(data=tmp_path), store)

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    watch.look()
    assert "(No space left on device): apps hear 503" in watch.notices()[0]


@pytest.mark.parametrize(
    ("said", "count"),
    [("20GB", 20 * 10**9), ("1.5 tb", 15 * 10**11), ("500MiB", 500 * 10**6), ("", None)],
)
def test_sizes_that_a_budget_may_have(said: str, count: int | None) -> None:
    environ = {"FLASK_PERFORMANCE_DISK_BUDGET": said}
    assert Settings.read("/data", environ).disk_budget == count


@pytest.mark.parametrize("said", ["20", "GB", "-1GB", "1KB", "10MB", "0GB", "20 gigabytes"])
def test_a_budget_that_is_none_is_refused(said: str) -> None:
    with pytest.raises(SettingsError, match="must be a size such as 20GB"):
        Settings.read("/data", {"FLASK_PERFORMANCE_DISK_BUDGET": said})
