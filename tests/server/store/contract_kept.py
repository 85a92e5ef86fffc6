"""How long every home of the event store keeps what, and what it says of it."""

from flask_performance.server.store.base import (
    DAY_US,
    LEDGER_DAYS,
    EventStore,
    Filter,
    Retention,
)

from .builders import NOON_US, block
from .model import HOUR_US, MINUTE_US

#: Days ago that requests began, and what is left of each when raw is kept 2, minutes 5, hours 9.
AGES = (1, 4, 8, 20)
KEPT = Retention(raw_days=2, minutes_days=5, hours_days=9)


def hour_of(days: int, project_id: int = 1) -> Filter:
    """The whole hour that began so many days before noon."""
    start_us = NOON_US - days * DAY_US
    return Filter(project_id=project_id, start_us=start_us, end_us=start_us + HOUR_US)


def minutes_of(days: int, project_id: int = 1) -> Filter:
    """Half of that hour: what only minutes answer, where single requests are gone."""
    start_us = NOON_US - days * DAY_US
    return Filter(project_id=project_id, start_us=start_us, end_us=start_us + HOUR_US // 2)


def aged(store: EventStore) -> None:
    """Three requests of two projects at each age, in the rollups."""
    number = 0
    for days in AGES:
        for project_id in (1, 2):
            number += 1
            at = NOON_US - days * DAY_US + MINUTE_US
            made = block(
                [{"start_us": at}] * 3, project_id=project_id, number=number, received_us=at,
                wire_id=f"{project_id}-{days}",
            )  # fmt: skip
            store.append(made, number)
    store.roll()
    store.maintain(NOON_US)


class KeptContract:
    """Mixed into a home's contract."""

    def test_each_tier_is_kept_for_its_own_time(self, store: EventStore) -> None:
        aged(store)
        store.forget(NOON_US, {1: KEPT})
        everything = Filter(project_id=1, start_us=0, end_us=NOON_US)
        assert [row.start_us for row in store.requests(everything, 100).rows] == [
            NOON_US - DAY_US + MINUTE_US
        ] * 3
        assert [store.summary(minutes_of(days)).requests for days in AGES] == [3, 3, 0, 0]
        assert [store.summary(hour_of(days)).requests for days in AGES] == [3, 3, 3, 0]

    def test_a_project_that_is_not_named_keeps_everything(self, store: EventStore) -> None:
        aged(store)
        store.forget(NOON_US, {1: KEPT})
        everything = Filter(project_id=2, start_us=0, end_us=NOON_US)
        assert len(store.requests(everything, 100).rows) == 3 * len(AGES)
        assert [store.summary(minutes_of(days, 2)).requests for days in AGES] == [3] * len(AGES)

    def test_what_is_not_rolled_up_yet_is_not_lost(self, store: EventStore) -> None:
        at = NOON_US - 4 * DAY_US
        store.append(block([{"start_us": at}] * 3, received_us=NOON_US), 1)
        store.forget(NOON_US, {1: KEPT})
        assert store.summary(hour_of(4)).requests == 3
        store.roll()
        store.forget(NOON_US, {1: KEPT})
        assert store.requests(hour_of(4), 10).rows == []
        assert store.summary(hour_of(4)).requests == 3

    def test_what_comes_after_forgetting_is_new(self, store: EventStore) -> None:
        """An id is used once: a request must not pass for one that is rolled up already."""
        store.append(block([{"start_us": NOON_US - 4 * DAY_US}]), 1)
        store.roll()
        store.forget(NOON_US, {1: KEPT})
        store.append(block([{"start_us": NOON_US - DAY_US}], number=2, sent_total=2), 2)
        assert store.summary(hour_of(1)).requests == 1
        store.roll()
        assert store.summary(hour_of(1)).requests == 1

    def test_an_instance_that_still_speaks_keeps_its_ledger(self, store: EventStore) -> None:
        old_us = NOON_US - (LEDGER_DAYS + 10) * DAY_US
        for wire_id, place in (("gone", 1), ("alive", 2)):
            store.append(
                block([{}] * 5, wire_id=wire_id, received_us=old_us, dropped_totals={"ignored": 1}),
                place,
            )
        store.append(
            block([{}], wire_id="alive", number=2, sent_total=6, dropped_totals={"ignored": 1}), 3
        )
        everything = Filter(project_id=1, start_us=0, end_us=NOON_US + 1)
        assert store.ledger(everything).seen == 13
        store.forget(NOON_US, {1: KEPT})
        ledger = store.ledger(everything)
        assert (ledger.stored, ledger.lost, ledger.dropped) == (6, 0, {"ignored": 1})
        assert store.has_batch(1, "alive", 1)
        store.append(block([{}], wire_id="alive", number=3, sent_total=7), 4)
        assert store.ledger(everything).lost == 0

    def test_whether_anything_was_heard_before_a_moment(self, store: EventStore) -> None:
        store.append(block([{}], received_us=NOON_US), 1)
        assert not store.heard_before(1, NOON_US)
        assert store.heard_before(1, NOON_US + 1)
        assert not store.heard_before(2, NOON_US + 1)

    def test_environments_say_when_they_were_heard(self, store: EventStore) -> None:
        for place, (name, at) in enumerate(
            (("production", 5), ("staging", 3), ("production", 9), (None, 1)), 1
        ):
            store.append(
                block([{}], environment=name, wire_id=f"{name}-{at}", received_us=at), place
            )
        assert list(store.last_seen_by_environment(1).items()) == [
            ("production", 9), ("staging", 3), (None, 1),
        ]  # fmt: skip
        assert store.last_seen_by_environment(2) == {}

    def test_about_how_many_rows_each_tier_has(self, store: EventStore) -> None:
        assert store.rows() == {"raw": 0, "minutes": 0, "hours": 0}
        store.append(block([{}] * 3), 1)
        store.roll()
        assert store.rows() == {"raw": 3, "minutes": 1, "hours": 1}

    def test_which_projects_have_rows(self, store: EventStore) -> None:
        assert store.project_ids() == set()
        for place, project_id in enumerate((3, 1, 3), 1):
            made = block([{}], project_id=project_id, number=place)
            store.append(made, place)
        assert store.project_ids() == {1, 3}
        store.delete_project(3)
        assert store.project_ids() == {1}
