"""Whether a process lives, in all that can be known of it."""

from typing import Any

import pytest

from flask_performance.server.store.base import MINUTE_US, SECOND_US
from flask_performance.server.store.living import State, states
from flask_performance.server.store.processes import InstanceRow, Usage

NOW_US = 1_000 * MINUTE_US


def process(name: str, seen: float, **values: Any) -> InstanceRow:
    """A process that was heard so many minutes ago; `beats`: its client reports when idle, too."""
    beat_us = 120 * SECOND_US if values.pop("beats", True) else 0
    usage: dict[str, Any] = dict.fromkeys(Usage.__struct_fields__)
    usage |= {"at_us": NOW_US, "span_us": MINUTE_US, "beat_us": beat_us}
    row: dict[str, Any] = dict.fromkeys(InstanceRow.__struct_fields__)
    started, served = values.pop("started", None), values.pop("served", seen)
    row |= {
        "instance": name, "host": "web-1", "requests": 1, "final": False, "usage": Usage(**usage),
        "last_seen_us": NOW_US - int(seen * MINUTE_US),
        "served_us": served if served is None else NOW_US - int(served * MINUTE_US),
        "started_us": started if started is None else NOW_US - int(started * MINUTE_US),
    }  # fmt: skip
    return InstanceRow(**(row | values))


CASES: dict[str, tuple[InstanceRow, State]] = {
    "serves": (process("a", 0.1), "serving"),
    "idle since long": (process("a", 1, served=30), "idle"),
    "never served in this time": (process("a", 1, served=None), "idle"),
    "said goodbye just now": (process("a", 0.1, final=True), "ended"),
    "said goodbye long ago": (process("a", 90, final=True), "ended"),
    "fell silent though it reports": (process("a", 6), "gone"),
    "of a client that need not report": (process("a", 6, beats=False), "silent"),
    "of a client that says nothing": (process("a", 6, usage=None), "silent"),
}


@pytest.mark.parametrize(("row", "expected"), CASES.values(), ids=CASES)
def test_a_process_alone(row: InstanceRow, expected: State) -> None:
    assert states([row], NOW_US) == [expected]


def test_a_later_process_of_the_host_takes_the_place_of_a_silent_one() -> None:
    for beats in (True, False):
        old = process("old", 20, started=300, beats=beats)
        new = process("new", 0, started=19)
        assert states([old, new], NOW_US) == ["replaced", "serving"]


def test_who_started_before_the_last_word_replaced_nobody() -> None:
    silent = process("silent", 20, started=300, beats=False)
    neighbour = process("neighbour", 0, started=299)
    assert states([silent, neighbour], NOW_US) == ["silent", "serving"]


def test_who_said_goodbye_is_replaced_first() -> None:
    silent = process("silent", 40, started=300, beats=False)
    ended = process("ended", 20, started=300, final=True)
    new = process("new", 0, started=19)
    assert states([silent, ended, new], NOW_US) == ["silent", "ended", "serving"]
    second = process("second", 0, started=18)
    assert states([silent, ended, new, second], NOW_US)[0] == "replaced"


def test_another_host_or_environment_replaces_nobody() -> None:
    silent = process("silent", 20, started=300, beats=False)
    others = [
        process("host", 0, started=10, host="web-2"),
        process("environment", 0, started=10, environment="staging"),
        process("unnamed", 0, started=10, host=None),
    ]
    assert states([silent, *others], NOW_US)[0] == "silent"


def test_a_process_of_the_past_is_judged_at_the_end_of_its_time() -> None:
    row = process("a", 30)
    assert states([row], NOW_US - 29 * MINUTE_US) == ["serving"]
