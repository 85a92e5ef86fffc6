"""Health: which part fails and since when, told quickly and cheaply whatever a part does."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette

from flask_performance.server import vitals
from flask_performance.server.counts import Failing, JobState
from flask_performance.server.vitals import Health, health
from tests.support.asgi import call
from tests.support.http import Answer


class Ward:
    """A health whose three parts do what the test says."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: dict[str, Any] = {"accounts": None, "queue": None, "store": None}
        self.jobs = {"tidy up": JobState(runs=3)}
        self.health = Health(
            {name: lambda name=name: self.ask(name) for name in self.says},  # type: ignore[misc]
            self.jobs,
        )
        nothing: Any = None
        self.app = Starlette(routes=vitals.routes(self.health, nothing, None, 0))

    def ask(self, name: str) -> Failing | None:
        self.asked += 1
        said = self.says[name]
        if isinstance(said, threading.Event):
            said.wait(30)
            return None
        if isinstance(said, Exception):
            raise said
        return said  # type: ignore[no-any-return]

    async def get(self, path: str) -> Answer:
        answer = await call(self.app, path, "GET")
        assert answer is not None
        assert answer.headers["cache-control"] == "no-store"
        return answer


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    monkeypatch.setattr(health, "LIFE", 0.0)
    ward = Ward()
    yield ward
    ward.health.close()


def test_all_is_well(ward: Ward) -> None:
    async def test() -> None:
        ready, live, everything = [
            await ward.get(path) for path in ("/health/ready", "/health/live", "/health")
        ]
        assert (ready.status, ready.json()) == (200, {"status": "ready"})
        assert (live.status, live.json()) == (200, {"status": "live"})
        assert everything.status == 200
        said = everything.json()
        assert (said["status"], said["jobs"]) == ("ok", {})
        assert said["parts"] == {name: {"status": "ok"} for name in ward.says}

    asyncio.run(test())


def test_a_part_that_fails_is_named_with_its_time(ward: Ward) -> None:
    async def test() -> None:
        ward.says["store"] = Failing("the event store takes nothing", 1_763_726_405.5)
        ward.says["queue"] = Failing("more waits than may be kept", 1_763_726_400.0)
        ready = await ward.get("/health/ready")
        assert ready.status == 503
        assert ready.json() == {
            "status": "failing",
            "since": "2025-11-21T12:00:00+00:00",
            "failing": {
                "queue": {
                    "status": "failing",
                    "what": "more waits than may be kept",
                    "since": "2025-11-21T12:00:00+00:00",
                },
                "store": {
                    "status": "failing",
                    "what": "the event store takes nothing",
                    "since": "2025-11-21T12:00:05+00:00",
                },
            },
        }
        assert (await ward.get("/health/live")).status == 200
        everything = await ward.get("/health")
        assert (everything.status, everything.json()["status"]) == (200, "failing")
        ward.says |= dict.fromkeys(ward.says)
        assert (await ward.get("/health/ready")).status == 200

    asyncio.run(test())


def test_an_error_is_told_without_its_words(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        ward.says["accounts"] = OSError("/srv/secret/path is gone")
        ready = [await ward.get("/health/ready") for _ in range(3)]
        assert [answer.status for answer in ready] == [503] * 3
        assert "secret" not in ready[0].body.decode()
        parts = [answer.json()["failing"]["accounts"] for answer in ready]
        assert parts[0]["what"] == "does not answer"
        assert parts[0]["since"] == parts[2]["since"]

    asyncio.run(test())
    assert len(caplog.records) == 1
    assert "secret" in caplog.text


def test_a_part_that_hangs_is_not_waited_for(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.2)

    async def test() -> None:
        hanging = ward.says["store"] = threading.Event()
        began = time.monotonic()
        answers = await asyncio.gather(*(ward.get("/health/ready") for _ in range(50)))
        assert time.monotonic() - began < 10
        assert {answer.status for answer in answers} == {503}
        assert answers[0].json()["failing"]["store"]["what"] == "does not answer"
        assert ward.asked < 150  # one question hangs, whoever asks
        assert (await ward.get("/health/live")).status == 200
        ward.says["store"] = None
        hanging.set()
        async with asyncio.timeout(10):
            while (await ward.get("/health/ready")).status != 200:
                await asyncio.sleep(0.01)

    asyncio.run(test())


def test_many_probes_are_one_question(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LIFE", 3600.0)

    async def test() -> None:
        for _ in range(20):
            await asyncio.gather(*(ward.get("/health/ready") for _ in range(5)))
        assert ward.asked == 3

    asyncio.run(test())


def test_a_failing_job_is_seen_and_leaves_the_server_ready(ward: Ward) -> None:
    async def test() -> None:
        ward.jobs["tidy up"].failing_since = 1_763_726_400.0
        said = (await ward.get("/health")).json()
        assert said["status"] == "failing"
        assert said["jobs"]["tidy up"]["since"] == "2025-11-21T12:00:00+00:00"
        assert (await ward.get("/health/ready")).status == 200

    asyncio.run(test())


def test_who_stops_is_not_ready(ward: Ward) -> None:
    async def test() -> None:
        ward.health.stopping()
        ready = await ward.get("/health/ready")
        assert (ready.status, ready.json()["status"]) == (503, "stopping")
        assert (await ward.get("/health")).json()["status"] == "stopping"
        assert (await ward.get("/health/live")).status == 200

    asyncio.run(test())
