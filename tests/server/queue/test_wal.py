"""A journal that something damaged while nobody had it open: it says so, and keeps what it can."""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flask_performance.server.queue import wal
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import SettingsError
from tests.support.platform import environment

ENTRIES = 40
#: Puts entries one by one, and ends without closing anything.
KILLED = """
import asyncio, os, sys
from pathlib import Path
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal

async def put(journal, count):
    for number in range(count):
        await journal.put(Envelope(1, number, False, b"x" * 3000))

asyncio.run(put(Journal(Path(sys.argv[1])), int(sys.argv[2])))
os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a journal whose process was killed."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-c", KILLED, str(folder / "journal.sqlite3"), str(ENTRIES)]
    subprocess.run(command, check=True, env=environment())
    return folder


@pytest.fixture
def file(killed: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    shutil.copytree(killed, tmp_path / "journal")
    return tmp_path / "journal" / "journal.sqlite3"


def _log(file: Path) -> Path:
    return file.with_name("journal.sqlite3-wal")


def _flip(file: Path, share: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(len(content) * share)] ^= 1
    file.write_bytes(content)


def _entries(file: Path) -> list[int]:
    with closing(Journal(file)) as journal:
        return [one.received_us for _, one in journal.read(0, 1000, 2**30)]


def test_what_is_whole_is_not_called_damaged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert wal.damage(file) is None
    assert _entries(file) == list(range(ENTRIES))
    assert not caplog.records


def test_checksums_are_those_of_sqlite_in_both_orders_of_bytes(file: Path) -> None:
    """A log that was written on the other kind of machine is read alike."""
    log = bytearray(_log(file).read_bytes())
    log[3] ^= 1  # the other magic number
    page = int.from_bytes(log[8:12], "big")
    total = _slow_sum(log[:24], (0, 0))
    log[24:32] = b"".join(one.to_bytes(4, "big") for one in total)
    for start in range(32, len(log) - page - 23, page + 24):
        total = _slow_sum(log[start : start + 8], total)
        total = _slow_sum(log[start + 24 : start + 24 + page], total)
        log[start + 16 : start + 24] = b"".join(one.to_bytes(4, "big") for one in total)
    _log(file).write_bytes(log)
    file.with_name("journal.sqlite3-shm").unlink()
    assert wal._read_log(_log(file)).committed == (len(log) - 32) // (page + 24)
    assert _entries(file) == list(range(ENTRIES))


def _slow_sum(content: bytearray, total: tuple[int, int]) -> tuple[int, int]:
    a, b = total
    for place in range(0, len(content), 8):
        a = (a + int.from_bytes(content[place : place + 4], "big") + b) % 2**32
        b = (b + int.from_bytes(content[place + 4 : place + 8], "big") + a) % 2**32
    return a, b


@pytest.mark.parametrize(
    "spoil",
    [
        lambda log: _flip(log, 0.5),
        lambda log: os.truncate(log, log.stat().st_size // 2),
        lambda log: os.truncate(log, log.stat().st_size - 1),
        lambda log: os.truncate(log, 0),
        lambda log: _flip(log, 0.00005),  # in its header: SQLite takes it for no log at all
        lambda log: log.unlink(),
    ],
)
def test_a_damaged_log_is_told_of_and_what_is_before_it_kept(
    file: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    spoil(_log(file))
    found = _entries(file)
    assert found == list(range(len(found)))
    assert len(found) < ENTRIES
    [said] = caplog.records
    assert said.levelno == logging.ERROR
    assert f"The journal's log {_log(file)} is damaged" in said.message
    caplog.clear()
    assert _entries(file) == found
    assert not caplog.records, "told twice"


def test_damage_without_a_witness_is_known_by_what_follows(file: Path) -> None:
    file.with_name("journal.sqlite3-shm").unlink()
    assert wal.damage(file) is None
    _flip(_log(file), 0.5)
    assert wal.damage(file)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_torn_end_is_no_damage(file: Path, frames: int) -> None:
    """As a power cut leaves it: the last transaction is there in parts, and nobody was told 202."""
    file.with_name("journal.sqlite3-shm").unlink()
    log = _log(file)
    os.truncate(log, log.stat().st_size - 4120 * frames + 100)
    assert wal.damage(file) is None


def test_a_damaged_log_does_not_take_the_database_back(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite would put the first half of the log over a database that has all of it."""
    script = (
        "import os, sqlite3, sys; connection = sqlite3.connect(sys.argv[1]); "
        "connection.execute('pragma wal_checkpoint'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True)
    _flip(_log(file), 0.5)
    assert _entries(file) == list(range(ENTRIES))


def test_what_is_no_database_without_its_log_is_refused(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    subprocess.run([sys.executable, "-c", KILLED, str(file), "3"], check=True, env=environment())
    _flip(_log(file), 0.9)
    content = bytearray(file.read_bytes())
    content[3 * 4096 : 5 * 4096] = b"\1" * 8192
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="If the file is damaged, move it"):
        Journal(file)


def test_a_store_that_went_back_is_told_of(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Journal(file)) as journal:
        journal.start_after(30)
    with closing(Journal(file)) as journal:
        journal.start_after(30)
        assert not caplog.records
        journal.start_after(12)
    [said] = caplog.records
    assert "The event store has lost 18 batches that it had stored" in said.message
    with closing(Journal(file)) as journal:
        journal.start_after(ENTRIES)
    caplog.clear()
    with closing(Journal(file)) as journal:
        journal.start_after(0)
    assert "has lost 40 batches" in caplog.text
