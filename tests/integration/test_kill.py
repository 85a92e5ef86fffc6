"""Acknowledged means durable: whatever got its 202 is there after the platform dies, once."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.load import BatchClient, Client, OldClient
from tests.support.platform import Platform, Project

pytestmark = pytest.mark.slow

ROUNDS = 6


@contextmanager
def loaded(project: Project) -> Iterator[list[Client]]:
    """Clients of both forms at work on the project."""
    kinds: Sequence[type[Client]] = (BatchClient, BatchClient, OldClient, OldClient)
    with ExitStack() as stack:
        yield [stack.enter_context(kind(project.dsn)) for kind in kinds]


def assert_acknowledged_is_stored_once(project: Project, clients: Sequence[Client]) -> None:
    acknowledged = [path for client in clients for path in client.acknowledged]
    unanswered = {path for client in clients for path in client.unanswered}
    assert len(acknowledged) > 100, "the load was no load"
    stored = Counter(row["path"] for row in project.wait_for_requests(len(acknowledged), 60))
    assert [path for path in acknowledged if path not in stored] == []
    assert {path: count for path, count in stored.items() if count > 1} == {}
    assert set(stored) - set(acknowledged) <= unanswered


def test_kill_under_load_loses_nothing_and_repeats_nothing(
    platform: Platform, project: Project
) -> None:
    with loaded(project) as clients:
        for _ in range(ROUNDS):
            before = sum(len(client.acknowledged) for client in clients)
            time.sleep(random.uniform(0.3, 1.2))  # the moment of death is the experiment
            platform.kill()
            assert sum(len(client.acknowledged) for client in clients) > before
            platform.start()
    assert_acknowledged_is_stored_once(project, clients)


def test_sigterm_under_load_drains_and_ends_well(platform: Platform, project: Project) -> None:
    with loaded(project) as clients:
        time.sleep(1)  # under load, not before it
        assert platform.stop() == 0
    platform.start()
    assert_acknowledged_is_stored_once(project, clients)


def test_sigterm_ends_an_idle_platform_at_once(platform: Platform) -> None:
    started = time.monotonic()
    assert platform.stop() == 0
    assert time.monotonic() - started < 5
