"""What every home of the event store must do. A home's test module subclasses `StoreContract`."""

import dataclasses
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flask_performance.server.store.base import (
    EventStore,
    Filter,
    LedgerTotals,
    RequestRow,
    UnknownCursorError,
)
from flask_performance.server.store.latency import GAMMA, least_of
from flask_performance.wire import OUTCOMES

from .builders import NOON_US, block
from .model import HOUR_US, MINUTE_US, World, assert_quantiles, assert_stats

#: Opens the store; after a close it has everything again.
Home = Callable[[], EventStore]
SECOND_US = 1_000_000
DAY = Filter(project_id=1, start_us=NOON_US - 24 * HOUR_US, end_us=NOON_US + 24 * HOUR_US)
STAGES = ("fresh", "half rolled", "rolled", "merged", "reopened")


def bucket_of(duration_us: int) -> int:
    """The mapping of `latency.py`, the naive way."""
    return math.ceil(math.log(duration_us, GAMMA)) if duration_us > 1 else 0


def filled(home: Home, stage: str, seed: int) -> tuple[EventStore, World]:
    """A store with some thousand random requests of two projects, at a stage of its upkeep."""
    world, store = World(seed), home()
    for turn in range(24):
        store.append(world.batch(world.random.randrange(1, 250)), world.next_position())
        if stage in ("half rolled", "merged", "reopened") and turn % 7 == 6:
            store.roll()
        if stage in ("merged", "reopened") and turn % 10 == 9:
            store.maintain(NOON_US + HOUR_US)
    if stage != "fresh" and stage != "half rolled":
        store.roll()
    if stage == "reopened":
        store.maintain(NOON_US + HOUR_US)
        store.close()
        store = home()
    return store, world


def everything(store: EventStore, filter: Filter, limit: int) -> list[RequestRow]:
    """All rows, page by page."""
    rows: list[RequestRow] = []
    cursor = None
    while True:
        page = store.requests(filter, limit, cursor)
        rows += page.rows
        cursor = page.next
        if cursor is None:
            return rows
        assert len(page.rows) == limit


def at_stages(*stages: str) -> Any:
    """The fixture of a filled store that is only asked: at all stages of a home's upkeep."""

    # It becomes a method of the class that calls this.
    @pytest.fixture(scope="class", params=stages)  # type: ignore[misc]
    @classmethod
    def world_and_store(
        cls: type["StoreContract"],
        request: pytest.FixtureRequest,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Iterator[tuple[World, EventStore]]:
        with cls.asked(request.param, tmp_path_factory.mktemp("store")) as asked:
            yield asked

    return world_and_store


class StoreContract(ABC):
    @classmethod
    @abstractmethod
    def open(cls, folder: Path) -> EventStore:
        """The home under test, with what it kept in this folder."""

    @classmethod
    @contextmanager
    def opening(cls, folder: Path) -> Iterator[Home]:
        """A home in a folder, closed in the end."""
        opened: list[EventStore] = []

        def home() -> EventStore:
            opened.append(cls.open(folder))
            return opened[-1]

        yield home
        for store in opened:
            store.close()

    @pytest.fixture
    def home(self, tmp_path: Path) -> Iterator[Home]:
        with self.opening(tmp_path) as home:
            yield home

    @pytest.fixture
    def store(self, home: Home) -> EventStore:
        return home()

    @pytest.fixture(scope="class")
    @classmethod
    def another(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
        """Opens stores that a part of the contract fills once, and then only asks."""
        with ExitStack() as stack:
            yield lambda: stack.enter_context(cls.opening(tmp_path_factory.mktemp("another")))()

    # -- answers against the naive model ---------------------------------------------------------

    world_and_store = at_stages(*STAGES)

    @classmethod
    @contextmanager
    def asked(cls, stage: str, folder: Path) -> Iterator[tuple[World, EventStore]]:
        with cls.opening(folder) as home:
            store, world = filled(home, stage, seed=STAGES.index(stage))
            yield world, store

    def test_summary(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for _ in range(40):
            filter = world.filter()
            assert_stats(store.summary(filter), world.matching(filter))

    def test_operations(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for _ in range(15):
            filter = world.filter()
            rows = world.matching(filter)
            found = store.operations(filter)
            assert {(one.method, one.route) for one in found} == {(r.method, r.route) for r in rows}
            assert len({(one.method, one.route) for one in found}) == len(found)
            for one in found:
                key = (one.method, one.route)
                assert_stats(one, [row for row in rows if (row.method, row.route) == key])
            times = [one.duration_us for one in found]
            assert times == sorted(times, reverse=True)

    @pytest.mark.parametrize("step_us", [7 * SECOND_US, MINUTE_US, 5 * MINUTE_US, HOUR_US])
    def test_series(self, world_and_store: tuple[World, EventStore], step_us: int) -> None:
        world, store = world_and_store
        for _ in range(4):
            filter = world.filter()
            rows = world.matching(filter)
            points = store.series(filter, step_us)
            starts = [point.start_us for point in points]
            first = filter.start_us // step_us * step_us
            assert starts == list(range(first, filter.end_us, step_us))
            by_step: dict[int, list[int]] = {}
            for place, row in enumerate(rows):
                by_step.setdefault(row.start_us // step_us * step_us, []).append(place)
            for point in points:
                inside = [rows[place] for place in by_step.get(point.start_us, [])]
                assert_quantiles(point, inside)
                kinds = Counter(
                    "disconnected" if row.outcome == 1
                    else "failed" if row.outcome == 2
                    else row.status // 100
                    for row in inside
                )  # fmt: skip
                assert point.requests == len(inside)
                assert point.informational == kinds[1]
                assert point.success == kinds[2]
                assert point.redirect == kinds[3]
                assert point.client_error == kinds[4]
                assert point.server_error == kinds[5] + kinds["failed"]
                assert point.disconnected == kinds["disconnected"]

    @pytest.mark.parametrize("step_us", [7 * SECOND_US, 5 * MINUTE_US])
    def test_heatmap(self, world_and_store: tuple[World, EventStore], step_us: int) -> None:
        world, store = world_and_store
        for _ in range(6):
            filter = world.filter()
            found = store.heatmap(filter, step_us)
            places = list(zip(found.starts_us, found.buckets, strict=True))
            assert places == sorted(set(places))
            assert dict(zip(places, found.requests, strict=True)) == Counter(
                (row.start_us // step_us * step_us, bucket_of(row.duration_us))
                for row in world.matching(filter)
            )

    def test_what_was_asked_before_is_asked_anew_when_more_is_stored(
        self, store: EventStore
    ) -> None:
        for number in (1, 2, 3):
            store.append(block([{}], number=number), number)
            assert sum(point.requests for point in store.series(DAY, HOUR_US)) == number
            assert sum(store.heatmap(DAY, HOUR_US).requests) == number
        store.delete_project(1)
        assert store.heatmap(DAY, HOUR_US).requests == []

    def test_a_bucket_of_the_heatmap_is_a_range_of_durations(
        self, world_and_store: tuple[World, EventStore]
    ) -> None:
        world, store = world_and_store
        whole = msgspec.structs.replace(DAY, project_id=world.random.choice((1, 2)))
        found = store.heatmap(whole, 24 * HOUR_US)
        for _ in range(20):
            first, last = sorted(world.random.choices(found.buckets, k=2))
            inside = [
                number
                for bucket, number in zip(found.buckets, found.requests, strict=True)
                if first <= bucket <= last
            ]
            region = msgspec.structs.replace(
                whole, duration_from_us=least_of(first), duration_to_us=least_of(last + 1)
            )
            assert store.summary(region).requests == sum(inside)

    def test_slowest(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for _ in range(10):
            filter = world.filter()
            durations = sorted((row.duration_us for row in world.matching(filter)), reverse=True)
            assert [row.duration_us for row in store.slowest(filter, 9)] == durations[:9]

    def test_statuses(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for _ in range(6):
            filter = world.filter()
            rows = world.matching(filter)
            found = store.statuses(filter)
            assert {(one.status, one.outcome) for one in found} == {
                (row.status, OUTCOMES[row.outcome]) for row in rows
            }
            for one in found:
                key = (one.status, OUTCOMES.index(one.outcome))
                assert_stats(one, [row for row in rows if (row.status, row.outcome) == key])
            counts = [one.requests for one in found]
            assert counts == sorted(counts, reverse=True)

    def test_measures_are_of_the_requests_that_have_them(self, store: EventStore) -> None:
        rows: list[dict[str, object]] = [
            {"duration_us": 1000 * n, "cpu_us": 400 * n, "response_bytes": 0} for n in range(1, 201)
        ]
        rows += [{"duration_us": 10, "queue_us": 77, "response_bytes": 5000}] * 2
        store.append(block(rows), 1)
        found = store.measures(DAY)
        assert {name: spread.requests for name, spread in found.items()} == {
            "duration_us": 202, "cpu_us": 200, "waiting_us": 200, "queue_us": 2,
            "response_bytes": 202,
        }  # fmt: skip
        assert found["cpu_us"].p95 == pytest.approx(400 * 190, rel=0.010_001)
        assert found["waiting_us"].p50 == pytest.approx(600 * 100, rel=0.010_001)
        assert found["queue_us"].p99 == pytest.approx(77, rel=0.010_001)
        assert (found["response_bytes"].p50, found["response_bytes"].p95) == (0, 0)
        nowhere = msgspec.structs.replace(DAY, environment="nowhere")
        assert store.measures(nowhere) == {}
        assert store.consumers(nowhere, 3) == []

    def test_consumers_with_the_most_time_come_first(self, store: EventStore) -> None:
        rows: list[dict[str, object]] = [
            {"consumer": name, "duration_us": 1000, "status": status}
            for name, times in (("ada", 3), ("bob", 5), ("eve", 1), (None, 9))
            for status in (200, 500)
            for _ in range(times)
        ]
        store.append(block(rows), 1)
        found = store.consumers(DAY, 2)
        assert [(one.consumer, one.requests, one.errors) for one in found] == [
            ("bob", 10, 5), ("ada", 6, 3),
        ]  # fmt: skip
        assert found[0].p50_us == pytest.approx(1000, rel=0.010_001)

    def test_releases_are_the_newest_first(self, store: EventStore) -> None:
        for number, release in enumerate(("1.0", "1.1", "1.0", None)):
            one = block([{}], wire_id=f"{number}" * 32)
            instances = [msgspec.structs.replace(key, release=release) for key in one.instances]
            store.append(dataclasses.replace(one, instances=instances), number + 1)
        assert store.releases(1) == ["1.0", "1.1"]
        assert store.releases(2) == []
        assert store.summary(msgspec.structs.replace(DAY, release="1.0")).requests == 2
        store.roll()
        assert store.summary(msgspec.structs.replace(DAY, release="1.0")).requests == 2

    def test_a_request_is_found_by_its_id_in_its_project_only(
        self, world_and_store: tuple[World, EventStore]
    ) -> None:
        _, store = world_and_store
        for row in store.requests(DAY, 5).rows:
            assert store.request(1, row.id) == row
            assert store.request(2, row.id) is None
        assert store.request(1, 0) is None

    def test_requests(self, world_and_store: tuple[World, EventStore]) -> None:
        world, store = world_and_store
        for _ in range(10):
            filter = world.filter()
            rows = everything(store, filter, world.random.choice((7, 100, 5000)))
            assert sorted(row.path for row in rows) == sorted(
                r.path for r in world.matching(filter)
            )
            order = [(row.start_us, row.id) for row in rows]
            assert order == sorted(order, reverse=True)
            expected = {row.path: row for row in world.matching(filter)}
            for row in rows:
                model = expected[row.path]
                assert (row.start_us, row.duration_us, row.status) == (
                    model.start_us,
                    model.duration_us,
                    model.status,
                )
                assert (row.method, row.route, row.environment) == (
                    model.method,
                    model.route,
                    model.environment,
                )

    @pytest.mark.parametrize(
        ("length_us", "steps", "off_us"),
        [(HOUR_US, 60, 0), (3 * HOUR_US, 3, 0), (HOUR_US, 7, 1), (2 * HOUR_US, 24, MINUTE_US)],
    )
    def test_pulses(
        self, world_and_store: tuple[World, EventStore], length_us: int, steps: int, off_us: int
    ) -> None:
        world, store = world_and_store
        start_us = NOON_US - length_us - off_us
        end_us = start_us + length_us
        pulses = store.pulses([1, 2, 77], start_us, end_us, steps)
        assert set(pulses) == {1, 2, 77}
        step_us = -(-length_us // steps)
        for project_id, pulse in pulses.items():
            filter = Filter(project_id=project_id, start_us=start_us, end_us=end_us)
            rows = world.matching(filter)
            assert_stats(pulse.stats, rows)
            counts = Counter((row.start_us - start_us) // step_us for row in rows)
            assert pulse.points == [counts[step] for step in range(steps)]
        assert pulses[77].last_seen_us is None
        assert store.last_seen_us(77) is None
        assert store.last_seen_us(1) == NOON_US
        assert pulses[1].last_seen_us == NOON_US
        assert pulses[1].lost == 0

    def test_environments(self, world_and_store: tuple[World, EventStore]) -> None:
        _, store = world_and_store
        assert store.environments(1) == ["production", "staging"]
        assert store.environments(77) == []

    def test_nothing_lost_of_the_random_world(
        self, world_and_store: tuple[World, EventStore]
    ) -> None:
        world, store = world_and_store
        stored = len(world.matching(DAY))
        found = store.ledger(DAY)
        # One process for each environment, and all ended at noon.
        assert found == LedgerTotals(
            seen=stored, stored=stored, waiting=0, lost=0, dropped={}, silent=3
        )

    # -- edges -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("length_us", [0, -1, -HOUR_US])
    def test_an_empty_window_has_nothing(self, home: Home, length_us: int) -> None:
        store, _ = filled(home, "rolled", 1)
        start_us = NOON_US - HOUR_US
        filter = Filter(project_id=1, start_us=start_us, end_us=start_us + length_us)
        assert store.summary(filter).requests == 0
        assert store.operations(filter) == []
        assert store.series(filter, MINUTE_US) == []
        assert store.requests(filter, 10).rows == []
        assert store.ledger(filter).seen == 0
        assert store.pulses([], start_us, start_us + HOUR_US, 6) == {}
        assert store.pulses([1], start_us, start_us, 3)[1].points == [0, 0, 0]

    def test_a_store_without_anything(self, store: EventStore) -> None:
        assert store.position() == 0
        store.roll()
        store.maintain(NOON_US)
        assert_stats(store.summary(DAY), [])
        assert store.ledger(DAY).seen == 0
        assert not store.has_batch(1, "a" * 32, 1)

    @pytest.mark.parametrize("count", [1, 2, 20, 60, 100, 101, 700, 1100])
    def test_quantiles_are_those_of_the_exact_rank(self, store: EventStore, count: int) -> None:
        # Far apart, so that the neighbour of the right rank would be off by more than 1 %.
        durations = [int(1.05**place * 1000) for place in range(count) if place < 600] or [1000]
        durations += [durations[-1]] * (count - len(durations))
        store.append(block([{"duration_us": duration} for duration in durations]), 1)
        stats = store.summary(DAY)
        durations.sort()
        for percent, found in ((50, stats.p50_us), (95, stats.p95_us), (99, stats.p99_us)):
            exact = durations[-(-count * percent // 100) - 1]
            assert found == pytest.approx(exact, rel=0.010_001)

    def test_a_lone_request_shows_what_it_took(self, store: EventStore) -> None:
        store.append(block([{"duration_us": 500_000}]), 1)
        stats, points = store.summary(DAY), store.series(DAY, 24 * HOUR_US)
        assert (stats.p50_us, stats.p99_us) == (500_000, 500_000)
        assert [point.p95_us for point in points if point.requests] == [500_000]

    def test_durations_that_no_integer_can_sum(self, store: EventStore) -> None:
        store.append(block([{"duration_us": 2**62}] * 50), 1)
        for work in (store.roll, lambda: store.maintain(NOON_US + HOUR_US), store.roll):
            stats = store.summary(DAY)
            assert stats.requests == 50
            assert stats.duration_us == pytest.approx(50 * 2**62)
            assert stats.p99_us == pytest.approx(2**62, rel=0.01)
            assert store.operations(DAY)[0].requests == 50
            work()

    def test_texts_come_back_as_they_were(self, store: EventStore) -> None:
        texts = ["a\0b", "\0", "ünï 🦆", "", "'; drop table request --", "x" * 2048, None]
        rows: list[dict[str, object]] = [
            {"path": text, "exception": text, "consumer": text, "trace_id": text, "start_us": place}
            for place, text in enumerate(texts)
        ]
        store.append(block(rows), 1)
        filter = Filter(project_id=1, start_us=0, end_us=100)
        found = everything(store, filter, 100)[::-1]
        assert [row.exception for row in found] == texts
        assert [row.consumer for row in found] == texts
        assert [row.trace_id for row in found] == texts
        assert [row.path for row in found] == [*texts[:-1], "/"]

    def test_unknown_numbers_come_back_as_none(self, store: EventStore) -> None:
        known = ("first_byte_us", "request_bytes", "response_bytes", "cpu_us", "queue_us")
        store.append(block([{}, dict.fromkeys(known, 0), dict.fromkeys(known, 2**62)]), 1)
        rows = sorted(everything(store, DAY, 10), key=lambda row: row.id)
        assert [[getattr(row, name) for name in known] for row in rows] == [
            [None] * 5,
            [0] * 5,
            [2**62] * 5,
        ]

    def test_a_renamed_endpoint_does_not_split_its_operation(self, store: EventStore) -> None:
        for position, endpoint in enumerate(("old", "new", None), 1):
            made = block(
                [{"duration_us": 10 ** (position + 1)}] * position, endpoint=endpoint,
                number=position, sent_total=sum(range(position + 1)),
            )  # fmt: skip
            store.append(made, position)
        (operation,) = store.operations(DAY)
        assert (operation.requests, operation.duration_us) == (6, 32_100)
        assert operation.p50_us == pytest.approx(1_000, rel=0.01)
        assert {row.endpoint for row in everything(store, DAY, 9)} == {"old", "new", None}

    # -- pages -----------------------------------------------------------------------------------

    def test_pages_while_rows_arrive_have_no_gap_and_no_repeat(self, store: EventStore) -> None:
        world = World(3)
        store.append(world.batch(500, project_id=1), world.next_position())
        before = {row.path for row in world.rows}
        seen: list[str] = []
        cursor = None
        while True:
            page = store.requests(DAY, 37, cursor)
            seen += [row.path for row in page.rows]
            if (cursor := page.next) is None:
                break
            store.append(world.batch(20, project_id=1), world.next_position())
            store.roll()
        assert len(seen) == len(set(seen))
        assert before <= set(seen)

    def test_the_newest_are_exact_whoever_asked_before(self, home: Home) -> None:
        """What a live page asks again and again: late ones take their place between the others, a
        window that lies before finds its own, and what is deleted makes room for older ones."""
        store = home()
        filter = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + HOUR_US)

        def newest(end_us: int = filter.end_us) -> list[int]:
            found = store.requests(msgspec.structs.replace(filter, end_us=end_us), 3).rows
            return [(row.start_us - NOON_US) // SECOND_US for row in found]

        def add(number: int, *seconds: int) -> None:
            rows: list[dict[str, object]] = [
                {"start_us": NOON_US + second * SECOND_US} for second in seconds
            ]
            store.append(block(rows, number=number, received_us=NOON_US + 60 * SECOND_US), number)

        add(1, 1, 2, 3)
        assert newest() == [3, 2, 1]
        add(2, 10, 11)
        assert newest() == newest() == [11, 10, 3]
        add(3, 4, 9, 12)
        assert newest() == [12, 11, 10]
        assert newest(NOON_US + 5 * SECOND_US) == [4, 3, 2]
        assert newest() == [12, 11, 10]
        store.delete_project(1)
        assert newest() == []
        add(4, 5)
        assert newest() == [5]

    def test_pages_over_requests_that_began_together(self, store: EventStore) -> None:
        store.append(block([{"path": f"/{place}"} for place in range(100)]), 1)
        rows = everything(store, DAY, 7)
        assert len(rows) == len({row.path for row in rows}) == 100

    @pytest.mark.parametrize(
        "cursor",
        ["", "-", "1", "1-", "-1", "a-b", "1-2-3", "١-٢", "1 -2", "9" * 30 + "-1", "1-" + "9" * 30],  # noqa: RUF001
    )
    def test_a_cursor_of_somebody_else_is_refused(self, store: EventStore, cursor: str) -> None:
        with pytest.raises(UnknownCursorError, match="cursor"):
            store.requests(DAY, 10, cursor)

    # -- repeats ---------------------------------------------------------------------------------

    def test_batches_are_known_after_reopening(self, home: Home) -> None:
        store = home()
        store.append(block([{}] * 3), 41)
        store.append(block([{}] * 3, number=3, sent_total=6), 42)
        for _ in range(2):
            known = [number for number in range(6) if store.has_batch(1, "a" * 32, number)]
            assert known == [1, 3]
            assert not store.has_batch(2, "a" * 32, 1)
            assert not store.has_batch(1, "b" * 32, 1)
            store.close()
            store = home()

    @pytest.mark.parametrize("pause_us", [0, MINUTE_US, 72 * HOUR_US])
    def test_batches_out_of_order_stay_known(self, home: Home, pause_us: int) -> None:
        """However they are merged meanwhile, and whether or not the instance was forgotten."""
        store = home()
        order = [1, 3, 6, 2, 4]
        for place, number in enumerate(order, 1):
            received_us = NOON_US + place * pause_us
            made = block([{}], number=number, sent_total=number, received_us=received_us)
            store.append(made, place)
            store.maintain(received_us + HOUR_US)
            store.maintain(received_us + 100 * HOUR_US)
            for _ in range(2):
                known = {n for n in range(12) if store.has_batch(1, "a" * 32, n)}
                assert known == set(order[:place])
                store.close()
                store = home()
        window = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 10**13)
        ledger = store.ledger(window)
        assert (ledger.stored, ledger.lost) == (5, 1)  # batch 5 never came

    def test_minutes_merged_together_keep_their_batches_apart(self, home: Home) -> None:
        """Batch 2 came a minute after 1 and 3, and batch 5 never: no merged row may claim them."""
        store = home()
        for place, (minute, number) in enumerate([(0, 1), (0, 3), (1, 2), (1, 6), (2, 4)], 1):
            received_us = NOON_US + minute * MINUTE_US
            made = block([{}], number=number, sent_total=number, received_us=received_us)
            store.append(made, place)
        for _ in range(3):
            store.maintain(NOON_US + HOUR_US)
            store.close()
            store = home()
            known = [number for number in range(9) if store.has_batch(1, "a" * 32, number)]
            assert known == [1, 2, 3, 4, 6]
            assert (self.ledger(store).stored, self.ledger(store).lost) == (5, 1)

    def test_ids_are_not_used_again_after_a_project_was_deleted(self, home: Home) -> None:
        store = home()
        store.append(block([{}] * 5), 1)
        store.append(block([{}] * 5, project_id=2), 2)
        store.roll()
        store.delete_project(2)
        store.close()
        store = home()
        store.append(block([{}] * 3, number=2, sent_total=8), 3)
        hours = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 2 * HOUR_US)
        assert store.summary(hours).requests == 8
        store.roll()
        assert store.summary(hours).requests == 8

    # -- the ledger ------------------------------------------------------------------------------

    def ledger(self, store: EventStore, end_us: int = NOON_US + 4 * MINUTE_US) -> LedgerTotals:
        return store.ledger(Filter(project_id=1, start_us=NOON_US - HOUR_US, end_us=end_us))

    def test_a_batch_that_never_came_is_lost(self, store: EventStore) -> None:
        store.append(block([{}] * 10), 1)
        store.append(block([{}] * 10, number=3, sent_total=30), 2)
        assert self.ledger(store) == LedgerTotals(
            seen=30, stored=20, waiting=0, lost=10, dropped={}
        )
        store.append(block([{}] * 10, number=2, sent_total=20), 3)
        assert self.ledger(store) == LedgerTotals(seen=30, stored=30, waiting=0, lost=0, dropped={})

    def test_a_late_arrival_does_not_hide_the_loss_of_another_instance(
        self, store: EventStore
    ) -> None:
        early_us, late_us = NOON_US, NOON_US + 30 * MINUTE_US
        store.append(block([{}] * 10, number=2, sent_total=20, received_us=early_us), 1)
        store.append(block([{}] * 10, number=1, sent_total=10, received_us=late_us), 2)
        other = block([{}] * 5, wire_id="b" * 32, number=2, sent_total=9, received_us=late_us)
        store.append(other, 3)
        window = Filter(project_id=1, start_us=late_us, end_us=late_us + MINUTE_US)
        assert store.ledger(window).lost == 4
        assert store.pulses([1], window.start_us, window.end_us, 1)[1].lost == 4

    def test_drops_are_counted_by_reason_however_often_they_are_told(self, home: Home) -> None:
        store = home()
        totals = [{"buffer_full": 5}, {"buffer_full": 5, "ignored": 2}, {"buffer_full": 7}]
        for number, dropped in enumerate(totals, 1):
            made = block(
                [{}], number=number, sent_total=number, dropped_totals=dropped,
                received_us=NOON_US + number * SECOND_US,
            )  # fmt: skip
            store.append(made, number)
            store.close()
            store = home()
        expected = LedgerTotals(
            seen=12, stored=3, waiting=0, lost=0, dropped={"buffer_full": 7, "ignored": 2}
        )
        assert self.ledger(store) == expected
        store.maintain(NOON_US + HOUR_US)
        assert self.ledger(store) == expected

    def test_what_waits_in_a_living_process_is_not_lost(self, store: EventStore) -> None:
        store.append(block([{}] * 3, waiting=4), 1)
        assert self.ledger(store) == LedgerTotals(seen=7, stored=3, waiting=4, lost=0, dropped={})
        store.append(block([{}] * 4, number=2, sent_total=7, received_us=NOON_US + 1), 2)
        assert self.ledger(store) == LedgerTotals(seen=7, stored=7, waiting=0, lost=0, dropped={})

    def test_what_waited_in_a_silent_process_is_lost(self, store: EventStore) -> None:
        store.append(block([{}] * 3, waiting=4), 1)
        late = self.ledger(store, NOON_US + 6 * MINUTE_US)
        assert late == LedgerTotals(seen=7, stored=3, waiting=0, lost=4, dropped={}, silent=1)

    def test_silent_are_those_who_said_no_goodbye_and_nothing_more(self, home: Home) -> None:
        store = home()
        minute_us = {"killed": 0, "idle": 0, "ended": 0, "alive": 2, "other": 0, "2019": 0}
        for place, (name, minutes) in enumerate(minute_us.items(), 1):
            made = block(
                [{}], wire_id=name, number=None if name == "2019" else 1, final=name == "ended",
                project_id=2 if name == "other" else 1, received_us=NOON_US + minutes * MINUTE_US,
                environment="staging" if name == "killed" else "production",
            )  # fmt: skip
            store.append(made, place)
        assert self.ledger(store).silent == 0, "nobody is silent for five minutes yet"
        end_us = NOON_US + 6 * MINUTE_US
        assert self.ledger(store, end_us).silent == 2  # killed and idle
        awake = block([{}], wire_id="idle", number=2, sent_total=2, received_us=end_us + MINUTE_US)
        store.append(awake, 10)
        for _ in range(2):
            assert self.ledger(store, end_us).silent == 1, "idle was not silent: it spoke again"
            assert self.ledger(store, end_us).lost == 0
            assert self.ledger(store, end_us + 3 * MINUTE_US).silent == 2  # killed and alive
            production = Filter(
                project_id=1, start_us=NOON_US, end_us=end_us, environment="production"
            )
            assert store.ledger(production).silent == 0
            store.maintain(NOON_US + HOUR_US)
            store.close()
            store = home()

    def test_who_waited_through_the_end_of_a_window_and_spoke_again_lost_nothing(
        self, store: EventStore
    ) -> None:
        store.append(block([{}] * 3, waiting=4), 1)
        end_us = NOON_US + 6 * MINUTE_US
        late = block([{}] * 4, number=2, sent_total=7, received_us=end_us)
        store.append(late, 2)
        assert self.ledger(store, end_us) == LedgerTotals(
            seen=7, stored=3, waiting=4, lost=0, dropped={}
        )

    def test_a_replayed_dead_letter_takes_its_refusal_back(self, home: Home) -> None:
        store = home()
        store.append(block([], sent_total=3, dead_letters=3), 1)
        store.append(block([{}] * 3, number=None, dead_letters=-3), 2)
        for _ in range(3):
            assert self.ledger(store) == LedgerTotals(
                seen=3, stored=3, waiting=0, lost=0, dropped={}
            )
            store.maintain(NOON_US + HOUR_US)
            store.close()
            store = home()

    def test_what_the_platform_refused_is_dropped_by_its_own_reason(self, home: Home) -> None:
        store = home()
        store.append(block([{}] * 3, dropped_totals={"error": 1}), 1)
        refused = {"dead_letters": 4, "dropped_totals": {"error": 2}}
        store.append(block([], number=2, sent_total=7, **refused), 2)  # type: ignore[arg-type]
        store.append(block([], number=None, wire_id="2019", dead_letters=1), 3)
        expected = LedgerTotals(
            seen=10, stored=3, waiting=0, lost=0, dropped={"dead_letter": 5, "error": 2}
        )
        for position in range(4, 7):
            assert self.ledger(store) == expected
            assert store.has_batch(1, "a" * 32, 2)
            store.maintain(NOON_US + HOUR_US)
            store.close()
            store = home()
            told = block([], number=position, sent_total=7, dropped_totals={"error": 2})
            store.append(told, position)

    def test_what_waited_in_a_process_that_said_goodbye_is_lost(self, store: EventStore) -> None:
        store.append(block([{}] * 3, waiting=4, final=True), 1)
        assert self.ledger(store).lost == 4

    def test_a_repeated_older_batch_does_not_bring_its_waiting_back(
        self, store: EventStore
    ) -> None:
        store.append(block([{}] * 3, number=2, sent_total=6, received_us=NOON_US), 1)
        older = block([{}] * 3, number=1, sent_total=3, waiting=3, received_us=NOON_US + 1)
        store.append(older, 2)
        for _ in range(2):
            late = self.ledger(store, NOON_US + 30 * MINUTE_US)
            assert late == LedgerTotals(seen=6, stored=6, waiting=0, lost=0, dropped={}, silent=1)
            store.maintain(NOON_US + HOUR_US)

    def test_requests_of_the_2019_client_are_never_lost(self, store: EventStore) -> None:
        for position in range(1, 4):
            store.append(block([{}], number=None, wire_id="2019"), position)
        assert self.ledger(store) == LedgerTotals(seen=3, stored=3, waiting=0, lost=0, dropped={})
        store.maintain(NOON_US + HOUR_US)
        assert self.ledger(store).stored == 3

    def test_an_instance_that_slept_for_days_has_lost_nothing(self, home: Home) -> None:
        store = home()
        dropped = {"ignored": 4}
        store.append(block([{}] * 10, dropped_totals=dropped, received_us=NOON_US), 1)
        store.maintain(NOON_US + 100 * HOUR_US)
        store.close()
        store = home()
        awake_us = NOON_US + 99 * HOUR_US
        made = block(
            [{}] * 2, number=2, sent_total=12, dropped_totals=dropped, received_us=awake_us
        )
        assert store.has_batch(1, "a" * 32, 1)
        store.append(made, 2)
        window = Filter(project_id=1, start_us=awake_us - HOUR_US, end_us=awake_us + MINUTE_US)
        assert store.ledger(window) == LedgerTotals(seen=2, stored=2, waiting=0, lost=0, dropped={})

    def test_hostile_totals_do_not_break_the_ledger(self, store: EventStore) -> None:
        for place in range(4):
            made = block(
                [{}], wire_id=f"{place}", sent_total=2**62, waiting=2**62,
                dropped_totals={"error": 2**62},
            )  # fmt: skip
            store.append(made, place + 1)
        store.maintain(NOON_US + HOUR_US)
        ledger = self.ledger(store)
        assert ledger.stored == 4
        assert ledger.dropped == {"error": 2**64}
        assert ledger.seen == ledger.stored + ledger.waiting + ledger.lost + 2**64
        assert store.pulses([1], NOON_US, NOON_US + MINUTE_US, 1)[1].lost == 2**64 - 4

    def test_the_ledger_of_an_environment(self, store: EventStore) -> None:
        store.append(block([{}] * 3, dropped_totals={"error": 1}), 1)
        made = block([{}] * 4, wire_id="b", environment="staging", dropped_totals={"ignored": 2})
        store.append(made, 2)
        filter = Filter(project_id=1, start_us=0, end_us=NOON_US + 1, environment="staging")
        assert store.ledger(filter) == LedgerTotals(
            seen=6, stored=4, waiting=0, lost=0, dropped={"ignored": 2}
        )

    # -- projects --------------------------------------------------------------------------------

    def test_a_deleted_project_leaves_nothing_and_touches_no_other(self, home: Home) -> None:
        store, world = filled(home, "merged", 9)
        kept = world.matching(DAY)
        revision = store.revision(2)
        store.delete_project(2)
        assert store.revision(2) != revision
        for _ in range(2):
            other = Filter(project_id=2, start_us=DAY.start_us, end_us=DAY.end_us)
            assert store.summary(other).requests == 0
            assert store.operations(other) == []
            assert store.requests(other, 10).rows == []
            assert store.ledger(other).seen == 0
            assert store.environments(2) == []
            assert not store.has_batch(2, "2-staging", 1)
            assert store.pulses([2], NOON_US - HOUR_US, NOON_US, 1)[2].last_seen_us is None
            assert_stats(store.summary(DAY), kept)
            assert store.ledger(DAY).stored == len(kept)
            store.roll()
            store.maintain(NOON_US + HOUR_US)
            store.close()
            store = home()

    def test_a_revision_changes_with_its_own_project_only(self, store: EventStore) -> None:
        before = (store.revision(1), store.revision(2))
        store.append(block([{}]), 1)
        assert store.revision(1) != before[0]
        assert store.revision(2) == before[1]

    def test_late_requests_are_added_to_what_was_merged(self, home: Home) -> None:
        store, world = filled(home, "merged", 5)
        for late_us in (-5 * HOUR_US, -30 * MINUTE_US, 0):
            store.append(world.batch(50, late_us=late_us), world.next_position())
            assert_stats(store.summary(DAY), world.matching(DAY))
            store.roll()
            store.maintain(NOON_US + HOUR_US)
            assert_stats(store.summary(DAY), world.matching(DAY))
