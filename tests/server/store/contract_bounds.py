"""What a project may have of things that are remembered one by one, of every home of the store."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from flask_performance.server.store import bounds
from flask_performance.server.store.base import DAY_US, EventStore, Filter
from flask_performance.server.store.bounds import OTHER

from .builders import NOON_US, block

MOST = 50


def _of(project_id: int) -> Filter:
    return Filter(project_id=project_id, start_us=NOON_US - DAY_US, end_us=NOON_US + DAY_US)


class BoundsContract:
    """Mixed into a home's contract."""

    def test_operations_beyond_the_most_are_counted_together(
        self,
        home: Callable[[], EventStore],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(bounds, "MOST_OPERATIONS", MOST)
        store = home()
        for number in range(1, 4):
            # Twenty of them are the same in each block.
            names = [f"GET /{number if place >= 20 else 0}/{place}" for place in range(40)]
            made = block([{"operation": name} for name in names], number=number)
            store.append(made, number)
            if number == 2:
                store.close()
                store = home()
        store.append(block([{"operation": "GET /0/1"}], project_id=2), 4)
        found = {(one.method, one.route): one.requests for one in store.operations(_of(1))}
        assert len(found) == MOST + 1
        assert found[OTHER, OTHER] == 30
        assert found["GET", "/0/7"] == 3
        assert sum(found.values()) == 120
        [other] = store.operations(_of(2))
        assert (other.method, other.route) == ("GET", "/0/1")
        assert caplog.text.count("Project 1 has 50 operations, which is the most") == 1

    def test_numbers_of_many_new_instances_come_back_as_they_were(self, store: EventStore) -> None:
        """A store that guesses types from some of the values must not be taken in by the others."""
        many = block([{}], number=1)
        key = many.instances[0]
        others = [replace(key, wire_id=f"{place}", pid=1) for place in range(3000)]
        others[1234] = replace(others[1234], pid=2**40, environment="deep")
        many.instances.extend(others)
        many.receipts.extend(
            replace(many.receipts[0], instance=place, stored=0, sent_total=0)
            for place in range(1, 3001)
        )
        store.append(many, 1)
        assert store.ledger(_of(1)).stored == 1
        assert store.environments(1) == ["deep", "production"]
