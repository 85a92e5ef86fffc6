"""What every home of the event store says of an app's processes and of the routes it declares."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from flask_performance.server.store.base import (
    DAY_US,
    MINUTE_US,
    SECOND_US,
    EventStore,
    Filter,
    Release,
    Retention,
)
from flask_performance.server.store.block import Block, Declaration, Sample

from .builders import NOON_US, block

Home = Callable[[], EventStore]
WINDOW = Filter(project_id=1, start_us=NOON_US, end_us=NOON_US + 60 * MINUTE_US)


def said(made: Block, **values: int) -> Block:
    """A batch whose process says something of itself."""
    sample = Sample(**{"at_us": made.receipts[0].received_us, **values})
    return replace(made, receipts=[msgspec.structs.replace(made.receipts[0], sample=sample)])


def declares(made: Block, *names: str, app: str = "shop", release: str | None = None) -> Block:
    """A batch that declares routes, "GET /books" each."""
    routes: list[tuple[str, str, str | None]] = []
    for name in names:
        method, _, rule = name.partition(" ")
        routes.append((method, rule, rule.strip("/") or None))
    made = of_release(made, release)
    declaration = Declaration(
        instance=0, received_us=made.receipts[0].received_us, app=app, routes=routes
    )
    return replace(made, declarations=[declaration])


def of_release(made: Block, release: str | None) -> Block:
    return replace(made, instances=[msgspec.structs.replace(made.instances[0], release=release)])


def at(minutes: float) -> int:
    return NOON_US + int(minutes * MINUTE_US)


class ProcessContract:
    """Mixed into a home's contract."""

    def test_a_release_is_first_heard_with_its_first_process(self, home: Home) -> None:
        store = home()
        heard = (
            ("1.0", "production", 0), ("1.1", "staging", 10), ("1.0", "production", 12),
            ("1.1", "production", 20), (None, "production", 30), ("1.2", "staging", 59.5),
        )  # fmt: skip
        for number, (release, environment, minutes) in enumerate(heard, 1):
            made = block(
                [{"start_us": at(minutes)}], wire_id=f"{number:032x}", environment=environment,
                received_us=at(minutes + 1),
            )  # fmt: skip
            store.append(of_release(made, release), number)
        again = block([{}], wire_id=f"{1:032x}", number=2, sent_total=2, received_us=at(40))
        store.append(of_release(again, "1.0"), 9)
        one, two, three = (
            Release(name=f"1.{n}", first_us=at(m)) for n, m in enumerate((0, 10, 59.5))
        )
        staging = msgspec.structs.replace(WINDOW, environment="staging", route="/", status="404")
        production = msgspec.structs.replace(WINDOW, environment="production")
        late = msgspec.structs.replace(WINDOW, start_us=at(0) + 1, end_us=at(59.5))
        for asked in (store, home()):
            assert asked.first_heard(WINDOW, 9) == [three, two, one]
            assert asked.first_heard(WINDOW, 2) == [three, two]
            assert asked.first_heard(late, 9) == [two]
            assert asked.first_heard(staging, 9) == [three, two]
            moved = msgspec.structs.replace(two, first_us=at(20))
            assert asked.first_heard(production, 9) == [moved, one]
            assert asked.first_heard(msgspec.structs.replace(WINDOW, project_id=2), 9) == []
            asked.close()

    def test_a_release_whose_first_batch_waited_is_heard_when_it_served(
        self, store: EventStore
    ) -> None:
        rows: list[dict[str, object]] = [{"start_us": at(m)} for m in (7, 5, 9)]
        store.append(of_release(block(rows, received_us=at(20)), "1.0"), 1)
        assert store.first_heard(WINDOW, 9) == [Release(name="1.0", first_us=at(5))]

    def test_a_process_is_told_with_its_latest_words(self, store: EventStore) -> None:
        for number in (1, 2, 3):
            made = block(
                [{}] * number, number=number, sent_total=10, received_us=at(number),
                final=number == 3,
            )  # fmt: skip
            store.append(
                said(
                    made, cpu_us=1000 * number, busy_us=70 * number, memory_bytes=9000 - number,
                    concurrent=5 - number, threads=7, beat_us=120 * SECOND_US, request_ns=1400,
                    sender_us=3 * number,
                ),
                number,
            )  # fmt: skip
        [row] = store.instances(WINDOW, 10)
        assert (row.instance, row.requests, row.final) == ("a" * 32, 6, True)
        assert (row.environment, row.last_seen_us, row.served_us) == ("production", at(3), at(3))
        usage = row.usage
        assert usage is not None
        assert (usage.at_us, usage.span_us) == (at(3), 2 * MINUTE_US)
        assert (usage.cpu_us, usage.busy_us, usage.sender_us) == (2000, 140, 6)
        assert (usage.memory_bytes, usage.peak_bytes) == (8997, 8999)
        assert (usage.concurrent, usage.threads, usage.request_ns) == (4, 7, 1400)
        assert usage.beat_us == 120 * SECOND_US

    def test_what_it_used_counts_from_its_word_before_the_window(self, store: EventStore) -> None:
        for number, minutes in enumerate((-30, -2, 1), 1):
            made = block([{}], number=number, sent_total=number, received_us=at(minutes))
            store.append(said(made, busy_us=1000 * number), number)
        [row] = store.instances(WINDOW, 10)
        assert row.usage is not None
        assert (row.requests, row.usage.busy_us, row.usage.span_us) == (1, 1000, 3 * MINUTE_US)

    def test_merging_changes_nothing_of_it(self, home: Home) -> None:
        store = home()
        for number in range(1, 40):
            made = block([{}], number=number, sent_total=number, received_us=at(number / 4))
            store.append(
                said(
                    made, busy_us=700 * number, cpu_us=300 * number, memory_bytes=number % 7,
                    threads=number, sender_us=number, concurrent=number % 5,
                ),
                number,
            )  # fmt: skip
        shifted = msgspec.structs.replace(WINDOW, start_us=at(2), end_us=at(9))
        before = [store.instances(window, 10) for window in (WINDOW, shifted)]
        for _ in range(2):
            store.maintain(at(600))
        assert [store.instances(window, 10) for window in (WINDOW, shifted)] == before
        store.close()
        assert [home().instances(window, 10) for window in (WINDOW, shifted)] == before

    def test_a_client_that_says_nothing_of_its_process(self, store: EventStore) -> None:
        store.append(block([{}, {}], received_us=at(1)), 1)
        store.append(block([], number=2, sent_total=2, received_us=at(2)), 2)
        [row] = store.instances(WINDOW, 10)
        assert (row.usage, row.requests) == (None, 2)
        assert (row.last_seen_us, row.served_us) == (at(2), at(1))

    def test_what_a_client_leaves_out_is_unknown(self, store: EventStore) -> None:
        store.append(said(block([{}], received_us=at(1)), busy_us=5), 1)
        [row] = store.instances(WINDOW, 10)
        assert row.usage is not None
        known = {name: value for name, value in msgspec.structs.asdict(row.usage).items() if value}
        assert known == {"at_us": at(1)}
        assert row.usage.busy_us == 0
        assert row.usage.cpu_us is None

    def test_processes_are_filtered_and_those_heard_last_come_first(
        self, store: EventStore
    ) -> None:
        for number, environment in enumerate(("production", "staging", None, "staging"), 1):
            made = block(
                [{}], wire_id=f"p{number}", environment=environment, received_us=at(number)
            )
            store.append(declares(made, release=f"r{number}"), number)
        other = block([{}], project_id=2, wire_id="other", received_us=at(9))
        store.append(other, 5)

        def ids(limit: int = 10, **conditions: str) -> list[str]:
            filter = msgspec.structs.replace(WINDOW, **conditions)
            return [row.instance for row in store.instances(filter, limit)]

        assert ids() == ["p4", "p3", "p2", "p1"]
        assert ids(2) == ["p4", "p3"]
        assert ids(environment="staging") == ["p4", "p2"]
        assert ids(release="r3") == ["p3"]
        assert ids(instance="p1") == ["p1"]
        later = msgspec.structs.replace(WINDOW, start_us=at(3))
        assert [row.instance for row in store.instances(later, 10)] == ["p4", "p3"]

    def test_waits_are_told_by_instance(self, store: EventStore) -> None:
        for number, wait in enumerate((0, 40_000), 1):
            rows: list[dict[str, object]] = [
                {"start_us": at(number), "queue_us": wait} for _ in range(9)
            ]
            rows.append({"start_us": at(number)})
            store.append(block(rows, wire_id=f"p{number}", received_us=at(number)), number)
        store.append(block([{}], wire_id="unknown", received_us=at(3)), 3)
        waits = store.waits(WINDOW)
        assert {name: spread.requests for name, spread in waits.items()} == {"p1": 9, "p2": 9}
        assert waits["p1"].p95 == 0
        assert 39_600 <= waits["p2"].p95 <= 40_400
        assert not store.waits(msgspec.structs.replace(WINDOW, start_us=at(5)))

    def test_routes_are_declared_once_and_again(self, home: Home) -> None:
        store = home()
        first = block([], received_us=at(1))
        store.append(declares(first, "GET /", "POST /", "GET /old", release="1"), 1)
        again = block([], number=2, received_us=at(2))
        store.append(declares(again, "GET /", " /any", release="2"), 2)
        staging = block([], wire_id="s", environment=None, received_us=at(3))
        store.append(declares(staging, "GET /", app="", release="3"), 3)
        late = block([], wire_id="late", received_us=at(1.5))
        store.append(declares(late, "GET /", release="1"), 4)
        store.append(declares(block([], project_id=2), "GET /theirs"), 5)
        store.close()
        found = {
            (r.app, r.environment, r.method, r.route): (r.release, r.first_us, r.last_us)
            for r in home().declared(1)
        }
        assert found == {
            ("shop", "production", "GET", "/"): ("2", at(1), at(2)),
            ("shop", "production", "POST", "/"): ("1", at(1), at(1)),
            ("shop", "production", "GET", "/old"): ("1", at(1), at(1)),
            ("shop", "production", "", "/any"): ("2", at(2), at(2)),
            ("", None, "GET", "/"): ("3", at(3), at(3)),
        }
        assert {r.endpoint for r in home().declared(1)} == {None, "old", "any"}

    def test_the_last_call_is_known_for_ever(self, store: EventStore) -> None:
        names = ("GET /", "POST /", "GET /books")
        for number, name in enumerate(names, 1):
            rows = [{"operation": name, "start_us": at(-number - n)} for n in range(3)]
            store.append(block(rows, number=number, sent_total=3 * number), number)
        expected = {("GET", "/"): at(-1), ("POST", "/"): at(-2), ("GET", "/books"): at(-3)}
        assert store.last_called(1) == expected
        store.roll()
        assert store.last_called(1) == expected
        store.append(block([{"start_us": at(5)}], number=4, sent_total=10), 4)
        expected["GET", "/"] = at(5)
        assert store.last_called(1) == expected
        store.roll()
        store.maintain(at(60))
        kept = Retention(raw_days=1, minutes_days=1, hours_days=1)
        store.forget(NOON_US + 9 * DAY_US, {1: kept})
        assert store.last_called(1) == expected
        assert store.last_called(2) == {}

    def test_what_processes_say_is_forgotten_like_minutes(self, store: EventStore) -> None:
        for number, days in enumerate((10, 3, 0), 1):
            at_us = NOON_US - days * DAY_US
            made = block([{}], number=number, sent_total=number, received_us=at_us)
            store.append(said(made, memory_bytes=days), number)
        store.maintain(NOON_US + DAY_US)
        store.forget(NOON_US, {1: Retention(raw_days=1, minutes_days=5, hours_days=30)})

        def known(days: int) -> bool:
            start_us = NOON_US - days * DAY_US
            window = Filter(project_id=1, start_us=start_us, end_us=start_us + DAY_US)
            [row] = store.instances(window, 10)
            return row.usage is not None

        assert [known(days) for days in (10, 3, 0)] == [False, True, True]

    def test_routes_are_forgotten_when_nobody_declares_them_for_long(
        self, store: EventStore
    ) -> None:
        for number, days in enumerate((200, 10), 1):
            made = block([], number=number, received_us=NOON_US - days * DAY_US)
            store.append(declares(made, f"GET /{days}"), number)
        store.forget(NOON_US, {1: Retention(raw_days=1, minutes_days=1, hours_days=1)})
        assert [route.route for route in store.declared(1)] == ["/10"]

    def test_a_deleted_project_leaves_neither_processes_nor_routes(self, store: EventStore) -> None:
        for project_id in (1, 2):
            made = said(block([{}], project_id=project_id, received_us=at(1)), memory_bytes=1)
            store.append(declares(made, "GET /"), project_id)
        store.delete_project(1)
        assert (store.instances(WINDOW, 10), store.declared(1), store.last_called(1)) == (
            [],
            [],
            {},
        )
        theirs = msgspec.structs.replace(WINDOW, project_id=2)
        assert len(store.instances(theirs, 10)) == len(store.declared(2)) == 1
        # The same process, should it speak again, is a new one.
        store.append(block([{}], number=9, received_us=at(2)), 3)
        [row] = store.instances(WINDOW, 10)
        assert row.usage is None
