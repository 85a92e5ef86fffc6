"""Files that a broken disk or a careless hand has damaged while the server was down.

Nothing acknowledged disappears without a word: the server recovers it, or starts and says what it
misses, or does not start and says why.
"""

import multiprocessing
import os
import random
import re
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from tests.support.load import BatchClient, OldClient
from tests.support.platform import Platform, Project, running_platform

from .play import Outcomes, loaded, more, put_all

FILES: Final = ("journal.sqlite3", "journal.sqlite3-wal", "events.duckdb", "events.duckdb.wal")
PAGE: Final = 4096
#: Nothing more is stored if nothing was for so long (seconds).
SETTLED: Final = 2.0


@dataclass(frozen=True)
class Wreck:
    """What a killed server left behind, to be damaged in copies."""

    data: Path
    project: Project
    port: int
    paths: frozenset[str]


def damage(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """One injury to one file a round."""
    outcomes: Outcomes = Counter()
    wrong = []
    (folder / "wreck").mkdir()
    wreck = _wreck(folder / "wreck", checkpoint=rng.random() < 0.5)
    for number in range(rounds):
        data = folder / f"round-{number}" / "data"
        shutil.copytree(wreck.data, data, ignore=shutil.ignore_patterns("control"))  # a socket
        name = rng.choice([one for one in FILES if (data / one).stat().st_size])
        injury = rng.choice(INJURIES)
        words = injury(rng, data / name)
        try:
            became = _start(wreck, data)
        except Exception as error:
            wrong.append(f"round {number}, {name} {words}: {error}")
            continue
        outcomes[f"{name} {injury.__name__.lstrip('_')}: {became}"] += 1
        shutil.rmtree(data.parent)
    assert not wrong, "\n".join(wrong)
    return outcomes


def _wreck(folder: Path, *, checkpoint: bool) -> Wreck:
    """A platform that was killed under load; more than it had stored waits in its journal."""
    with running_platform(folder / "data") as platform:
        project = platform.project()
        paths: set[str] = set()
        for end in (platform.stop, platform.kill):
            with loaded(project) as clients:
                more(clients)
                time.sleep(1)
            paths.update(path for client in clients for path in client.acknowledged)
            project.wait_for_requests(len(paths))
            end()
            platform.start()
        platform.kill()
    waiting = multiprocessing.get_context("spawn").Process(
        target=put_and_die, args=(platform.data, project.dsn, folder / "waiting", checkpoint)
    )
    waiting.start()
    waiting.join()
    paths.update((folder / "waiting").read_text().split())
    return Wreck(platform.data, project, platform.port, frozenset(paths))


def put_and_die(data: Path, dsn: str, said: Path, checkpoint: bool) -> None:
    """Acknowledge some batches and some requests of 2019, and end without closing anything.

    With a checkpoint they are in the database's own file, not only in its log.
    """
    journal = Journal(data / "journal.sqlite3")
    batches, singles = BatchClient(dsn), OldClient(dsn)
    now_us = time.time_ns() // 1000
    paths, envelopes = [], []
    for number in range(20):
        of_batch, body = batches.next_batch()
        path, single = singles.one(number)
        paths += [*of_batch, path]
        envelopes += [Envelope(1, now_us, True, body), Envelope(1, now_us, False, single)]
    for envelope in envelopes:
        put_all(journal, [envelope])
    if checkpoint:
        with closing(sqlite3.connect(data / "journal.sqlite3")) as connection:
            connection.execute("pragma wal_checkpoint(passive)")
    said.write_text("\n".join(paths))
    os._exit(0)


# -- injuries: each says in words what it did ------------------------------------------------------


def _cut(rng: random.Random, file: Path) -> str:
    size = rng.randrange(file.stat().st_size)
    os.truncate(file, size)
    return f"cut to {size} bytes"


def _flipped(rng: random.Random, file: Path) -> str:
    content = bytearray(file.read_bytes())
    places = [rng.randrange(len(content)) for _ in range(rng.randint(1, 8))]
    for place in places:
        content[place] ^= rng.randint(1, 255)
    file.write_bytes(content)
    return f"other bytes at {places}"


def _zeroed(rng: random.Random, file: Path) -> str:
    content = bytearray(file.read_bytes())
    start = rng.randrange(0, len(content), PAGE)
    content[start : start + PAGE] = bytes(len(content[start : start + PAGE]))
    file.write_bytes(content)
    return f"a page of zeros at {start}"


Injury = Callable[[random.Random, Path], str]
INJURIES: Final[Sequence[Injury]] = (_cut, _flipped, _zeroed)


# -- and what became of it -------------------------------------------------------------------------


def _start(wreck: Wreck, data: Path) -> str:
    platform = Platform(data)
    platform.port, platform.url = wreck.port, wreck.project.api.base.removesuffix("/api/v1")
    try:
        try:
            platform.start()
        except AssertionError:
            return _refusal(platform)
        try:
            stored = _settled(wreck.project)
        except AssertionError as error:
            return _cannot_read(platform, error)
        log = platform.log.read_text()
        assert "Traceback" not in log or "ERROR" in log
        assert max(stored.values(), default=1) == 1, "stored twice"
        assert set(stored) <= wreck.paths, sorted(set(stored) - wreck.paths)[:5]
        lost = len(wreck.paths) - len(stored)
        told = re.search(r"(WARNING|ERROR) .*(journal|event store|dead letters).*", log)
        assert not lost or told, f"{lost} of {len(wreck.paths)} requests lost without a word"
        assert platform.stop() == 0
        return "started, and said what it misses" if lost else "recovered everything"
    finally:
        platform.end()


def _refusal(platform: Platform) -> str:
    log = platform.log.read_text()
    assert platform.process is not None
    assert platform.process.returncode == 1, f"{platform.process.returncode}: {log}"
    said = log.splitlines()[-1]
    assert re.match(r"Error: The (journal|event store) /", said), log
    assert "Traceback" not in log, log
    return "refused to start, and said why"


def _cannot_read(platform: Platform, error: AssertionError) -> str:
    """A block of the event store that only a question needs: that question is refused."""
    assert ": 503 " in str(error), error
    assert "its file is damaged, restore it from a backup" in platform.log.read_text()
    assert platform.stop() == 0
    return "started, and says at questions what is damaged"


def _settled(project: Project) -> Counter[str]:
    """The stored paths, once no more come."""
    known, since = -1, time.monotonic()
    while time.monotonic() - since < SETTLED:
        stored = project.get("summary")["requests"]
        if stored != known:
            known, since = stored, time.monotonic()
        time.sleep(0.1)
    return Counter(row["path"] for row in project.requests())
