"""Typical traffic by the million, straight into a store's file: what `reading` asks about.

Sixty operations with Zipf's shares, log-normal latencies of which some have a slow mode, day and
night, errors where they are likely, three environments, a release a week, eight processes. Most
paths repeat: half of the operations have no parameter, the others know a thousand things. Two
operations, a tenth of all requests, know their consumers. One request in a hundred matches no
route: scanners try their few hundred paths again and again, one time in five a new one.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from flask_performance.server.store.base import DAY_US, HOUR_US, EventStore
from flask_performance.server.store.block import Block, InstanceKey, OperationKey, Receipt

PROJECT: Final = 1
OPERATIONS: Final = 60
THINGS: Final = 1_000
ENVIRONMENTS: Final = ("production", "staging", "test")
PROCESSES: Final = 8
#: Requests of a block; they spread over a stretch of the time, in the order of their start.
BLOCK: Final = 500_000
#: Places of the operations whose consumers are known.
NAMED: Final = (3, 4)
CONSUMERS: Final = np.array([f"customer-{place}" for place in range(2_000)], dtype=object)
#: One request in so many matches no route.
IN_VAIN: Final = 100
SCANNED: Final = np.array(
    [f"/wp-content/plugins/{place}.php" for place in range(400)], dtype=object
)
METHODS: Final = ("GET", "GET", "GET", "POST", "PUT", "DELETE")


def operations() -> list[OperationKey]:
    """Every other one has a parameter; the last is what matches no route."""
    return [
        OperationKey(
            PROJECT,
            METHODS[place % len(METHODS)],
            f"/area{place // 10}/things{place}" + ("/<int:id>" if place % 2 else ""),
            f"area{place // 10}.things{place}",
        )
        for place in range(OPERATIONS)
    ] + [OperationKey(PROJECT, "GET", "", None)]


def instances(days: int) -> list[InstanceKey]:
    """The processes of every week's release; production has all but two of each eight."""
    return [
        InstanceKey(
            project_id=PROJECT,
            wire_id=f"{week:016x}{place:016x}",
            host=f"web-{place % 3}",
            environment=ENVIRONMENTS[max(0, place - PROCESSES + len(ENVIRONMENTS))],
            release=f"2026.{week + 1}",
        )
        for week in range(-(-days // 7) + 1)
        for place in range(PROCESSES)
    ]


class Traffic:
    """Blocks of typical requests that end at a moment."""

    def __init__(self, requests: int, days: int, end_us: int, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.requests, self.days, self.end_us = requests, days, end_us
        self.start_us = end_us - days * DAY_US
        self.operations, self.instances = operations(), instances(days)
        shares = 1 / np.arange(1, OPERATIONS + 1)
        self.shares = np.cumsum(shares / shares.sum())
        #: Microseconds in the middle of each operation: 2 ms to 200 ms.
        self.middle = self.random.lognormal(np.log(15_000), 1.2, OPERATIONS + 1)
        paths = [
            [key.route.replace("<int:id>", str(id)) for id in range(THINGS)]
            for key in self.operations[:OPERATIONS]
        ]
        self.paths = np.array(paths, dtype=object)

    def blocks(self) -> Iterator[Block]:
        starts = self._starts()
        sent = np.zeros(len(self.instances), dtype="i8")
        for number, first in enumerate(range(0, self.requests, BLOCK), 1):
            count = min(BLOCK, self.requests - first)
            shares = (first + np.sort(self.random.random(count)) * count) / self.requests
            yield self._block(number, starts(shares), sent)

    def _starts(self) -> Callable[[np.ndarray], np.ndarray]:
        """From a share of all requests to a moment: at noon come five times as many as at night."""
        hours = np.arange(self.days * 24 + 1)
        at_us = self.start_us + hours * HOUR_US
        rate = 3 + 2 * np.sin((at_us % DAY_US / DAY_US - 0.25) * 2 * np.pi)
        passed = np.cumsum(rate)
        passed = (passed - passed[0]) / (passed[-1] - passed[0])
        return lambda shares: np.interp(shares, passed, at_us).astype("i8")

    def _block(self, number: int, start_us: np.ndarray, sent: np.ndarray) -> Block:
        random, count = self.random, len(start_us)
        operation = np.searchsorted(self.shares, random.random(count)).astype("i4")
        in_vain = random.integers(0, IN_VAIN, count) == 0
        spread = np.exp(random.standard_normal(count, dtype="f4") * 0.6)
        slow = (operation % 4 == 0) & (random.random(count, dtype="f4") < 0.05)
        duration = np.maximum(80, self.middle[operation] * spread * np.where(slow, 20, 1))
        chance = random.random(count, dtype="f4")
        status = np.where(chance < 0.003, 500, np.where(chance < 0.03, 404, 200)).astype("i2")
        status[(operation % 7 == 3) & (status == 200)] = 302
        week = (start_us - self.start_us) // (7 * DAY_US)
        # One request in fifty each is staging's and the tests'.
        place = random.integers(0, 50, count)
        place = np.where(place < 48, place % (PROCESSES - 2), place - 48 + PROCESSES - 2)
        instance = (week * PROCESSES + place).astype("i4")
        path = self.paths[operation, random.zipf(1.3, count) % THINGS]
        path[operation % 2 == 0] = None
        consumer = CONSUMERS[random.zipf(1.3, count) % len(CONSUMERS)]
        consumer[~np.isin(operation, NAMED) | in_vain] = None
        path[in_vain] = self._asked_in_vain(int(in_vain.sum()))
        operation[in_vain], status[in_vain], duration[in_vain] = OPERATIONS, 404, 300
        known = np.full(count, -1, dtype="i8")
        first_byte = (duration * 0.98).astype("i8")
        columns = {
            "project_id": np.full(count, PROJECT, dtype="i4"),
            "operation": operation,
            "instance": instance,
            "start_us": start_us,
            "duration_us": duration.astype("i8"),
            "status": status,
            "outcome": np.where(chance > 0.9995, 1, 0).astype("i1"),
            "first_byte_us": first_byte,
            "request_bytes": known,
            "response_bytes": (operation * 331 + 900 + random.integers(0, 64, count)).astype("i8"),
            "cpu_us": (duration * (0.3 + 0.2 * random.random(count, dtype="f4"))).astype("i8"),
            "queue_us": known,
            "path": path,
            "exception": np.full(count, None, dtype=object),
            "trace_id": np.full(count, None, dtype=object),
            "consumer": consumer,
        }
        places, columns["instance"], counts = np.unique(
            instance, return_inverse=True, return_counts=True
        )
        sent[places] += counts
        receipts = [
            Receipt(
                instance=place, received_us=int(start_us[-1]), stored=int(stored),
                number=number, sent_total=int(sent[one]),
            )
            for place, (one, stored) in enumerate(zip(places, counts, strict=True))
        ]  # fmt: skip
        heard = [self.instances[one] for one in places]
        return Block(columns, self.operations, heard, receipts)

    def _asked_in_vain(self, count: int) -> np.ndarray:
        """Paths that scanners try."""
        paths = SCANNED[self.random.zipf(1.3, count) % len(SCANNED)]
        new = self.random.integers(0, 5, count) == 0
        paths[new] = [f"/{number:016x}.env" for number in self.random.integers(0, 2**62, new.sum())]
        return paths


def fill(store: EventStore, requests: int, days: int, end_us: int) -> dict[str, float]:
    """Store typical traffic and roll it up; the seconds that each took."""
    seconds = dict.fromkeys(("make", "append", "roll", "maintain"), 0.0)
    blocks = Traffic(requests, days, end_us).blocks()
    position = store.position()
    while True:
        began = time.perf_counter()
        block = next(blocks, None)
        seconds["make"] += time.perf_counter() - began
        if block is None:
            break
        position += 1
        for name, work in (
            ("append", lambda block=block, position=position: store.append(block, position)),
            ("roll", store.roll),
            ("maintain", lambda: store.maintain(end_us)),
        ):
            began = time.perf_counter()
            work()
            seconds[name] += time.perf_counter() - began
    return seconds
