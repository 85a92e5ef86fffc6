"""What every drill asks for, and what it has to prove afterwards."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from tests.support.load import BatchClient, Client, OldClient
from tests.support.platform import Platform, Project
from tests.support.waiting import wait_for

#: Four clients that rest so long (seconds) after each answer nearly always have a post under way,
#: and what they were told can be read again and compared in seconds.
PAUSE = 0.01
#: What became of the rounds: a word to how many. A round that went wrong raises AssertionError.
Outcomes = Counter[str]
#: Chance, an empty folder, how many rounds.
Drill = Callable[[random.Random, Path, int], Outcomes]


@contextmanager
def loaded(project: Project, pause: float = PAUSE) -> Iterator[list[Client]]:
    """Clients of both forms at work on the project."""
    kinds: Sequence[type[Client]] = (BatchClient, BatchClient, OldClient, OldClient)
    made = [kind(project.dsn) for kind in kinds]
    with ExitStack() as stack:
        for client in made:
            client.pause = pause
            stack.enter_context(client)
        yield made


def acknowledged(clients: Sequence[Client]) -> int:
    return sum(len(client.acknowledged) for client in clients)


def more(clients: Sequence[Client]) -> None:
    """Wait until more is acknowledged."""
    before = acknowledged(clients)
    wait_for(lambda: acknowledged(clients) > before, 60, "the platform to take more")


def assert_acknowledged_is_stored_once(
    project: Project, clients: Sequence[Client], seconds: float = 120
) -> None:
    """Rows, rollups and ledger agree on it, after so long at most."""
    assert all(client.failure is None for client in clients), [one.failure for one in clients]
    paths = [path for client in clients for path in client.acknowledged]
    unanswered = {path for client in clients for path in client.unanswered}
    project.wait_for_requests(len(paths), seconds)  # of which some may be unanswered ones
    wait_for(lambda: _stored(project).keys() >= set(paths), seconds, "all acknowledged", every=1)
    stored = _stored(project)
    assert {path: count for path, count in stored.items() if count > 1} == {}
    assert set(stored) - set(paths) <= unanswered
    assert project.get("summary")["requests"] == len(stored)
    ledger = project.get("ledger")
    assert (ledger["stored"], ledger["lost"]) == (len(stored), 0), ledger


def _stored(project: Project) -> Counter[str]:
    """How often each path is there."""
    return Counter(row["path"] for row in project.requests())


def refused(platform: Platform, reason: str) -> int:
    """How many batches the set-up page says were refused for this reason."""
    with closing(sqlite3.connect(platform.data / "accounts.sqlite3", timeout=10)) as accounts:
        query = "select coalesce(sum(batches), 0) from refusals where reason = ?"
        return int(accounts.execute(query, [reason]).fetchone()[0])


def put_all(journal: Journal, envelopes: Sequence[Envelope]) -> None:
    """Returns when all are durable."""

    async def put() -> None:
        for envelope in envelopes:
            await journal.put(envelope)

    asyncio.run(put())
