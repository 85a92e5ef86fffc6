"""A monitored app, two ways: a real one, and the past of one as batches in the wire format."""

import json
import math
import random
import time
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from flask import Flask

from flask_performance import PerformanceCollector
from tests.support.http import fetch

SECOND_US: Final = 1_000_000


def monitored_app(dsn: str) -> tuple[Flask, PerformanceCollector]:
    """A small app with the extension, set up as the set-up page says."""
    app = Flask("shop")
    app.config["METRIC_DSN"] = dsn
    collector = PerformanceCollector(app)

    @app.get("/books/<int:number>")
    def book(number: int) -> str:
        return f"book {number}"

    @app.get("/broken")
    def broken() -> tuple[str, int]:
        return "broken", 500

    return app, collector


def post_rows(
    dsn: str,
    rows: list[dict[str, Any]],
    environment: str = "production",
    release: str | None = None,
) -> None:
    """One batch of a process of its own: a row has a `route` and any columns of the format."""
    names = sorted({name for row in rows for name in row} - {"route"} | {"start_us", "duration_us"})
    now_us = time.time_ns() // 1000
    usual = {"start_us": now_us, "duration_us": 2_950, "status": 200}
    batch = {
        "version": 1,
        "instance": {
            "id": f"{random.getrandbits(128):032x}",
            "environment": environment,
            **({"release": release} if release else {}),
        },
        "batch": 1,
        "sent_us": now_us,
        "ledger": {"seen": len(rows), "sent": len(rows), "dropped": {}},
        "operations": [{"method": "GET", "route": row["route"]} for row in rows],
        "requests": {
            "operation": list(range(len(rows))),
            **{name: [row.get(name, usual.get(name)) for row in rows] for name in names},
        },
    }
    headers = {"Content-Type": "application/json"}
    answer = fetch(dsn, "POST", json.dumps(batch).encode(), headers)
    assert answer.status == 202, answer.body


@dataclass(frozen=True)
class Operation:
    """How often an operation is called, how long it takes, how often it fails."""

    method: str
    route: str
    weight: float
    median_ms: float
    spread: float
    failing: float = 0.0


SHOP: Final = (
    Operation("GET", "/", 18, 7, 0.3),
    Operation("GET", "/books/<int:number>", 40, 9, 0.9),
    Operation("GET", "/search", 9, 80, 0.7),
    Operation("POST", "/checkout", 5, 160, 0.4, 0.05),
    Operation("GET", "/covers/<int:number>.jpg", 30, 0.8, 0.5),
    Operation("GET", "/api/books/<int:number>/reviews", 8, 14, 0.4, 0.01),
    Operation("GET", "/reports/<name>", 0.6, 900, 0.5),
    Operation("GET", "", 3, 0.6, 0.4),
)
#: Declared, and never called.
UNUSED: Final = (("GET", "/static/<path:filename>"), ("DELETE", "/admin/books/<int:number>"))
#: A process speaks for its last so many microseconds at once.
BATCH_US: Final = 300 * SECOND_US


def _declared() -> dict[str, Any]:
    """The routes that the app declares; an endpoint is what Flask would call it."""
    declared = [(one.method, one.route) for one in SHOP if one.route] + list(UNUSED)
    return {
        "app": "shop",
        "rules": [
            {"rule": rule, "methods": [method], "endpoint": rule.split("/")[1] or "index"}
            for method, rule in declared
        ],
    }


class Past:
    """Requests of the last `seconds` to one process, in waves; the same for the same seed.

    A release has them only up to `until` seconds ago, ends then, and may be slower by a factor.
    """

    def __init__(
        self,
        seconds: int,
        per_second: float,
        seed: int = 1,
        *,
        until: int = 0,
        release: str | None = None,
        slower: float = 1.0,
    ) -> None:
        self.release, self.slower, self.ends = release, slower, until > 0
        self.random = random.Random(seed)
        self.instance = f"{self.random.getrandbits(128):032x}"
        self.now_us = time.time_ns() // 1000
        self.starts = sorted(
            self._start(seconds, until) for _ in range(int((seconds - until) * per_second))
        )
        self.number = 0
        self.sent = 0
        self.busy_us = 0

    def _start(self, seconds: int, until: int) -> int:
        while True:
            ago = until + self.random.random() * (seconds - until)
            if self.random.random() < 0.6 + 0.4 * math.sin(ago / seconds * 9):
                return self.now_us - int(ago * SECOND_US)

    def post(self, dsn: str, environment: str = "production", dropped: int = 0) -> None:
        """Everything, in batches; the ledger adds up but for nothing."""
        for _, starts in groupby(self.starts, lambda start_us: start_us // BATCH_US):
            self.serve(dsn, list(starts), environment, dropped)

    def serve(
        self, dsn: str, starts: list[int], environment: str = "production", dropped: int = 0
    ) -> None:
        """One batch of requests that began at these moments."""
        batch = self._batch(starts, environment, dropped)
        headers = {"Content-Type": "application/json"}
        answer = fetch(dsn, "POST", json.dumps(batch).encode(), headers)
        assert answer.status == 202, answer.body

    def _batch(self, starts: list[int], environment: str, dropped: int) -> dict[str, Any]:
        self.number += 1
        self.sent += len(starts)
        requests = self._requests(starts)
        self.busy_us += sum(requests["duration_us"])
        return {
            "version": 1,
            "instance": self._instance(environment),
            "batch": self.number,
            "sent_us": starts[-1],
            "ledger": {
                "seen": self.sent + dropped,
                "sent": self.sent,
                "dropped": {"ignored": dropped} if dropped else {},
            },
            "operations": [{"method": one.method, "route": one.route} for one in SHOP],
            "requests": requests,
            "overhead": {"request_ns": 2_900, "sender_cpu_us": 9 * self.sent},
            "process": {
                "memory_bytes": 61_000_000 + 400 * self.sent,
                "cpu_us": self.busy_us * 3 // 5,
                "busy_us": self.busy_us,
                "concurrent": 2,
                "threads": 6,
                "beat_us": 120 * SECOND_US,
            },
            **({"routes": _declared()} if self.number == 1 else {}),
            **({"final": True} if self.ends and self.sent == len(self.starts) else {}),
        }

    def _instance(self, environment: str) -> dict[str, Any]:
        return {
            "id": self.instance,
            "environment": environment,
            "host": "web-1",
            "pid": 4_000 + int(self.instance[:2], 16),
            "client": "flask-performance/1.0.0",
            "python": "3.13.1",
            "flask": "3.1.2",
            "started_us": self.starts[0] - SECOND_US,
            **({"release": self.release} if self.release else {}),
        }

    def _requests(self, starts: list[int]) -> dict[str, list[Any]]:
        picked = self.random.choices(
            range(len(SHOP)), [operation.weight for operation in SHOP], k=len(starts)
        )
        durations = [self._duration(SHOP[place]) for place in picked]
        return {
            "start_us": starts,
            "duration_us": durations,
            "operation": picked,
            "status": [self._status(SHOP[place]) for place in picked],
            "path": [self._path(SHOP[place].route) for place in picked],
            "first_byte_us": [duration * 9 // 10 for duration in durations],
            "response_bytes": [self.random.randrange(200, 40_000) for _ in picked],
            "queue_us": [self.random.randrange(200, 4_000) for _ in picked],
        }

    def _duration(self, operation: Operation) -> int:
        return int(
            self.slower
            * operation.median_ms
            * 1000
            * math.exp(self.random.gauss(0, operation.spread))
        )

    def _status(self, operation: Operation) -> int:
        if not operation.route:
            return 404
        if self.random.random() < operation.failing:
            return 500
        return self.random.choices([200, 304, 403], [94, 5, 1])[0]

    def _path(self, route: str) -> str:
        if not route:
            return self.random.choice(["/wp-login.php", "/.env", "/robots.txt"])
        number = self.random.randrange(1, 90)
        return route.replace("<int:number>", str(number)).replace("<name>", "sales")
