"""The journal: what it acknowledged survives, in order, once; what it cannot take it says."""

import asyncio
import contextlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flask_performance.server.queue import dead_letters
from flask_performance.server.queue import journal as journal_module
from flask_performance.server.queue.base import (
    Envelope,
    QueueFullError,
    QueueUnavailableError,
)
from flask_performance.server.queue.dead_letters import DeadLetter
from flask_performance.server.queue.journal import Journal
from flask_performance.server.queue.journal_file import SCHEMA, checksum
from flask_performance.server.settings import SettingsError
from tests.support.faults import full_disk
from tests.support.platform import environment
from tests.support.waiting import wait_for

from .contract import Home, QueueContract

Open = Callable[..., Journal]
TABLES_MADE = "select name, sql from sqlite_master where name in ('entry', 'dead_letter')"


@pytest.fixture
def open_journal(tmp_path: Path) -> Iterator[Open]:
    """Opens the journal of this test, again after a close."""
    with contextlib.ExitStack() as stack:

        def open_journal(**options: int) -> Journal:
            journal = Journal(tmp_path / "journal.sqlite3", **options)
            stack.callback(journal.close)
            return journal

        yield open_journal


def envelope(number: int, size: int = 0) -> Envelope:
    return Envelope(7, number, bool(number % 2), b"%d" % number + b"x" * size)


def put(journal: Journal, *envelopes: Envelope) -> list[BaseException | None]:
    """Put all at once, from one event loop; what came of each."""

    async def all_of_them() -> list[BaseException | None]:
        return await asyncio.gather(*map(journal.put, envelopes), return_exceptions=True)

    return asyncio.run(all_of_them())


def numbers(journal: Journal, after: int = 0) -> list[int]:
    return [one.received_us for _, one in journal.read(after, 10_000, 2**40)]


def test_entries_come_back_as_they_were_and_in_order(open_journal: Open) -> None:
    journal = open_journal()
    sent = [envelope(number) for number in range(200)]
    assert put(journal, *sent) == [None] * 200
    for _ in range(2):
        entries = journal.read(0, 10_000, 2**30)
        assert [one for _, one in entries] == sent
        positions = [position for position, _ in entries]
        assert positions == sorted(set(positions))
        journal.close()
        journal = open_journal()


def test_reading_is_bounded_by_entries_and_by_bytes(open_journal: Open) -> None:
    journal = open_journal()
    put(journal, *[envelope(number, size=1000) for number in range(20)])
    assert len(journal.read(0, 7, 2**30)) == 7
    assert len(journal.read(0, 100, 2500)) == 3
    assert len(journal.read(0, 100, 1)) == 1, "one entry, however large, must get through"
    position = journal.read(0, 7, 2**30)[-1][0]
    assert journal.read(position, 1, 1)[0][1].received_us == 7


def test_what_arrives_while_the_disk_is_busy_shares_a_commit(open_journal: Open) -> None:
    journal = open_journal()
    commits: list[int] = []
    commit = journal._commit

    def counted(envelopes: list[Envelope], forgettable: int) -> QueueUnavailableError | None:
        commits.append(len(envelopes))
        return commit(envelopes, forgettable)

    journal._commit = counted  # type: ignore[method-assign]
    assert put(journal, *map(envelope, range(1000))) == [None] * 1000
    assert sum(commits) == 1000
    assert len(commits) < 100


def test_what_was_forgotten_is_gone_after_the_next_commit(open_journal: Open) -> None:
    journal = open_journal()
    put(journal, *map(envelope, range(5)))
    third = journal.read(0, 3, 2**30)[-1][0]
    journal.forget(third, 3)
    put(journal, envelope(5))
    journal.close()
    assert numbers(open_journal()) == [3, 4, 5]


def test_what_is_stored_is_forgotten_while_nothing_comes(
    open_journal: Open, tmp_path: Path
) -> None:
    journal = open_journal()
    put(journal, *map(envelope, range(2_500)))
    journal.forget(2_400, 0)

    def left() -> int:
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as reader:
            return int(reader.execute("select count(*) from entry").fetchone()[0])

    wait_for(lambda: left() == 100, 20, "what is stored to be forgotten")
    assert numbers(journal, after=2_400) == list(range(2_400, 2_500))


def test_after_a_backlog_the_file_becomes_small_again(
    open_journal: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "UNUSED", 200_000)
    file = tmp_path / "journal.sqlite3"
    journal = open_journal()
    put(journal, *(envelope(number, size=10_000) for number in range(100)))
    journal.bury(3, envelope(2), "spoilt")
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("pragma wal_checkpoint(passive)")
    assert file.stat().st_size > 1_000_000
    journal.forget(99, 0)
    wait_for(lambda: file.stat().st_size < 100_000, 20, "a small file")
    assert numbers(journal, after=99) == [99]
    put(journal, envelope(100))
    assert [position for position, _ in journal.read(99, 10, 2**30)] == [100, 101]
    assert [letter.id for letter in dead_letters.letters(file)] == [3]
    journal.close()
    again = open_journal()
    assert numbers(again, after=99) == [99, 100]


def test_starting_after_a_position_forgets_what_is_stored(open_journal: Open) -> None:
    journal = open_journal()
    put(journal, *map(envelope, range(5)))
    third = journal.read(0, 3, 2**30)[-1][0]
    journal.close()
    journal = open_journal()
    journal.start_after(third)
    assert numbers(journal) == [3, 4]
    assert journal.waiting_bytes == 2


@pytest.mark.parametrize("entries", [0, 2])
def test_a_new_file_hands_out_no_position_that_the_store_has_seen(
    open_journal: Open, entries: int
) -> None:
    journal = open_journal()
    put(journal, *map(envelope, range(entries)))
    journal.start_after(1000)
    put(journal, envelope(9))
    ((position, one),) = journal.read(1000, 10, 2**30)
    assert position == 1001
    assert one.received_us == 9


def test_a_full_journal_refuses_and_takes_again_after_forgetting(open_journal: Open) -> None:
    journal = open_journal(max_waiting=1000)
    large = envelope(1, size=899)  # 900 bytes
    results = put(journal, large, large)
    assert results[0] is None
    assert isinstance(results[1], QueueFullError)
    assert isinstance(put(journal, large)[0], QueueFullError)
    assert put(journal, envelope(2, size=99)) == [None], "what fits is taken"
    (position, one), *_ = journal.read(0, 10, 2**30)
    journal.forget(position, len(one.body))
    assert put(journal, envelope(3, size=899)) == [None]
    assert numbers(journal, position) == [2, 3]


def test_room_is_measured_anew_after_a_restart(open_journal: Open) -> None:
    journal = open_journal()
    put(journal, envelope(1, size=899))
    journal.close()
    journal = open_journal(max_waiting=1000)
    assert journal.waiting_bytes == 900
    assert isinstance(put(journal, envelope(1, size=899))[0], QueueFullError)


def test_a_full_disk_refuses_everything_and_keeps_nothing_of_it(
    open_journal: Open, tmp_path: Path
) -> None:
    journal = open_journal()
    put(journal, envelope(1))
    with full_disk(tmp_path / "journal.sqlite3-wal", 50_000):
        for number in (2, 3):
            results = put(journal, *[envelope(number, size=200_000)] * 2)
            assert [type(one) for one in results] == [QueueUnavailableError] * 2
            assert "journal cannot be written" in str(results[0])
        failing = journal.failing()
        assert failing is not None
        assert failing.what == "the journal cannot be written"
        assert time.time() - 60 < failing.since <= time.time()
    assert journal.waiting_bytes == 1
    assert put(journal, envelope(4, size=200_000)) == [None]
    assert journal.failing() is None
    assert numbers(journal) == [1, 4]


def test_it_knows_what_waits(open_journal: Open) -> None:
    journal = open_journal(max_waiting=100)
    assert journal.depth() == (0, 0, 100, None)
    put(journal, envelope(1), envelope(2, size=3), envelope(3, size=94))
    depth = journal.depth()
    assert (depth.batches, depth.bytes) == (3, 100)
    assert depth.oldest_us == journal.read(0, 1, 10)[0][1].received_us
    failing = journal.failing()
    assert failing is not None
    assert failing.what == "more waits than may be kept"
    journal.forget(journal.read(0, 9, 1000)[1][0], 5)
    assert (journal.depth().batches, journal.depth().bytes) == (1, 95)
    assert journal.failing() is None
    journal.close()
    again = open_journal(max_waiting=100)
    again.start_after(2)
    assert (again.depth().batches, again.depth().bytes) == (1, 95)
    assert sum(count for _, count in again.commit_seconds.read()[0]) == 0


def test_after_a_close_nothing_is_taken(open_journal: Open) -> None:
    journal = open_journal()
    put(journal, envelope(1))
    journal.close()
    (error,) = put(journal, envelope(2))
    assert isinstance(error, QueueUnavailableError)
    assert numbers(open_journal()) == [1]


def test_a_client_that_gave_up_waiting_harms_nobody(open_journal: Open) -> None:
    """Neither one whose request was cancelled nor one whose event loop is gone."""
    journal = open_journal()

    async def give_up() -> None:
        waiting = [asyncio.create_task(journal.put(envelope(n, size=100_000))) for n in range(20)]
        await asyncio.sleep(0)
        for task in waiting[::2]:
            task.cancel()

    asyncio.run(give_up())
    assert put(journal, envelope(99)) == [None]
    assert numbers(journal)[-1] == 99


def test_wait_ends_when_something_arrives(open_journal: Open) -> None:
    journal = open_journal()
    assert not journal.wait(0.01)
    put(journal, envelope(1))
    assert journal.wait(10)
    assert not journal.wait(0.01)
    journal.wake()
    assert journal.wait(10)


def test_dead_letters_are_kept_with_their_reason(open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal()
    put(journal, envelope(1))
    ((position, one),) = journal.read(0, 1, 1)
    for reason in ("first", "it is no batch"):
        journal.bury(position, one, reason, counted=3)
    journal.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
        rows = connection.execute("select * from dead_letter").fetchall()
    assert rows == [(position, 7, 1, 1, b"1", "it is no batch", 3, checksum(7, 1, True, b"1"))]


def test_dead_letters_have_a_bound(
    open_journal: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault that spoils every batch would fill the disk with them."""
    file = tmp_path / "journal.sqlite3"
    journal = open_journal(max_buried=10_500)
    for number in range(1, 26):
        journal.bury(number, envelope(number, size=998), "spoilt")
    kept = [letter.id for letter in dead_letters.letters(file)]
    assert kept == list(range(16, 26))
    assert "the oldest 1 were deleted" in caplog.text
    dead_letters.delete(file, range(16, 21))
    caplog.clear()
    for number in range(26, 31):
        journal.bury(number, envelope(number, size=998), "spoilt")
    assert [letter.id for letter in dead_letters.letters(file)] == list(range(21, 31))
    assert not caplog.text, "those that somebody deleted count no more"
    journal.close()
    assert dead_letters.size(file) == 10_000
    open_journal(max_buried=10_500).bury(31, envelope(31, size=998), "spoilt")
    assert [letter.id for letter in dead_letters.letters(file)] == list(range(22, 32))


def test_dead_letters_of_deleted_projects_go(open_journal: Open, tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite3"
    journal = open_journal()
    for project_id in (1, 2, 3, 9):
        journal.bury(project_id, Envelope(project_id, 1, False, b"x"), "spoilt")
    assert dead_letters.delete_left(file, {1, 3}, greatest=4) == 1
    kept = [letter.project_id for letter in dead_letters.letters(file)]
    assert kept == [1, 3, 9], "nobody here knows the last one, or deleted it"


def test_dead_letters_are_listed_replayed_once_and_deleted(
    open_journal: Open, tmp_path: Path
) -> None:
    file, journal = tmp_path / "journal.sqlite3", open_journal()
    for number in (1, 2, 3):
        journal.bury(number, envelope(number, size=100), f"reason {number}", counted=number)
    put(journal, envelope(9))
    assert dead_letters.count(file) == 3
    assert dead_letters.letters(file)[1] == DeadLetter(2, 7, 2, 101, "reason 2", 2)
    assert dead_letters.body(file, 3) == (True, envelope(3, size=100).body)
    assert dead_letters.body(file, 4) is None
    assert [journal.replay([1, 4]), journal.replay([1])] == [1, 0]
    assert journal.waiting_bytes == 1 + 101
    replayed = [one for _, one in journal.read(0, 10, 2**30)]
    assert [(one.received_us, one.counted) for one in replayed] == [(9, 0), (1, 1)]
    assert dead_letters.delete(file, [2, 4]) == 1
    assert journal.replay(None) == 1
    assert dead_letters.letters(file) == []


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_a_journal_of_an_older_schema_is_migrated_with_what_it_holds(
    open_journal: Open, tmp_path: Path, schema: int
) -> None:
    file = tmp_path / "journal.sqlite3"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript((Path(__file__).parent / f"journal-{schema}.sql").read_text())
    journal = open_journal()
    assert [(position, one.received_us) for position, one in journal.read(0, 9, 99)] == [(41, 5)]
    assert dead_letters.letters(file) == [DeadLetter(7, 1, 6, 4, "no batch", 0)]
    put(journal, envelope(1))
    assert journal.read(41, 9, 99)[0][0] == 42
    journal.close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("pragma user_version").fetchone() == (SCHEMA,)
        made = {name: sql.split() for name, sql in connection.execute(TABLES_MADE)}
    journal = Journal(tmp_path / "new.sqlite3")
    journal.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "new.sqlite3")) as connection:
        fresh = [list(connection.execute(f"pragma table_info({table})")) for table in made]
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert [list(connection.execute(f"pragma table_info({table})")) for table in made] == fresh


def test_a_newer_journal_is_refused_and_unchanged(open_journal: Open, tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite3"
    open_journal().close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma user_version = 4711")
    before = file.read_bytes()
    with pytest.raises(SettingsError, match=r"newer version .*4711.* nothing was changed"):
        open_journal()
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_journal_is_refused_and_unchanged(
    open_journal: Open, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "journal.sqlite3"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"The journal {file} cannot be opened"):
        open_journal()
    assert file.read_bytes() == content


KILLED = """
import asyncio, itertools, os, sys
from pathlib import Path
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal

async def client(journal, name):
    for number in itertools.count():
        await journal.put(Envelope(name, number, False, b"x" * 2000))
        os.write(1, f"{name} {number}\\n".encode())

async def main():
    journal = Journal(Path(sys.argv[1]))
    await asyncio.gather(*(client(journal, name) for name in range(8)))

asyncio.run(main())
"""


def _acknowledged_until_killed(file: Path, lines: int) -> list[tuple[int, int]]:
    """Start a process that puts without a pause; SIGKILL after so many acknowledgements."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    with process.stdout as output:
        said = [output.readline() for _ in range(lines)]
        process.kill()
        said += output.readlines()
    process.wait()
    pairs = [line.split() for line in said if line.endswith(b"\n")]
    return [(int(name), int(number)) for name, number in pairs]


def test_what_was_acknowledged_survives_kill_9(open_journal: Open, tmp_path: Path) -> None:
    chance = random.Random(9)
    position = 0
    for _ in range(8):
        acknowledged = _acknowledged_until_killed(
            tmp_path / "journal.sqlite3", chance.randrange(1, 400)
        )
        journal = open_journal()
        entries = journal.read(position, 1_000_000, 2**40)
        kept = [(one.project_id, one.received_us) for _, one in entries]
        assert len(set(kept)) == len(kept)
        assert set(acknowledged) <= set(kept)
        assert all(one.body == b"x" * 2000 for _, one in entries)
        position = entries[-1][0]
        journal.close()


def test_puts_from_several_event_loops_at_once(open_journal: Open) -> None:
    journal = open_journal()
    with ThreadPoolExecutor(4) as pool:
        loops = [
            pool.submit(put, journal, *map(envelope, range(start, start + 100)))
            for start in range(0, 400, 100)
        ]
    assert all(loop.result() == [None] * 100 for loop in loops)
    wait_for(lambda: len(numbers(journal)) == 400, 5, "400 entries")
    assert sorted(numbers(journal)) == list(range(400))


def decoded(number: int, weight: int = 1) -> Envelope:
    return Envelope(7, number, False, b"%d" % number, message=[number], weight=weight)


def test_messages_stay_at_hand_until_they_are_stored(open_journal: Open) -> None:
    """And positions between them that are not at hand come from the file, in order."""
    journal = open_journal()
    sent = [decoded(1), decoded(2), envelope(3), decoded(4)]
    for one in sent:
        put(journal, one)
    found: list[tuple[int, Envelope]] = []
    while entries := journal.read(found[-1][0] if found else 0, 10_000, 2**30):
        found += entries
    assert [(id, one.received_us, one.body) for id, one in found] == [
        (place, one.received_us, one.body) for place, one in enumerate(sent, 1)
    ]  # fmt: skip
    assert [one.message for _, one in found][:2] == [[1], [2]]
    assert [len(journal.read(0, limit, 2**30)) for limit in (1, 2)] == [1, 2]


def test_messages_at_hand_have_a_bound(open_journal: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_AT_HAND", 100)
    journal = open_journal()
    put(journal, *(decoded(number, weight=30) for number in range(10)))
    first = journal.read(0, 10_000, 2**30)
    assert [one.message for _, one in first] == [[0], [1], [2]]
    rest = journal.read(3, 10_000, 2**30)
    assert [one.received_us for _, one in rest] == [3, 4, 5, 6, 7, 8, 9]
    assert all(one.message is None for _, one in rest)
    put(journal, decoded(10, weight=30))
    assert journal.read(10, 10_000, 2**30)[0][1].message == [10], "there is room again"


def test_what_was_put_beside_us_is_not_passed_over(open_journal: Open) -> None:
    """A replayed dead letter gets a position between two groups."""
    journal = open_journal()
    put(journal, decoded(1))
    journal.bury(99, envelope(2), "spoilt")
    journal.replay(None)
    put(journal, decoded(3))
    found = journal.read(0, 10_000, 2**30)
    found += journal.read(found[-1][0], 10_000, 2**30)
    assert [one.received_us for _, one in found] == [1, 2, 3]


def test_damage_in_the_middle_is_found_and_the_rest_goes_on(
    open_journal: Open, tmp_path: Path
) -> None:
    file, journal = tmp_path / "journal.sqlite3", open_journal()
    put(journal, *map(envelope, range(3)))
    journal.close()
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update entry set body = cast('X' as blob) where received_us = 1")
    journal = open_journal()
    entries = journal.read(0, 10, 2**30)
    assert [one.damaged for _, one in entries] == [False, True, False]
    journal.bury(*entries[1], "damaged")
    assert journal.replay(None) == 1
    assert [one.damaged for _, one in journal.read(3, 10, 2**30)] == [True], "and it stays so"


class JournalHome(Home):
    """A file; it crashes by being opened elsewhere as the disk has it at that moment."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._crashes = folder / "0", 0
        self._folder.mkdir()
        self.queue = self._journal = Journal(self._folder / "journal.sqlite3")

    def waiting(self) -> list[Envelope]:
        with contextlib.closing(Journal(self._folder / "journal.sqlite3")) as journal:
            return [one for _, one in journal.read(0, 100_000, 10**9)]

    def crash(self) -> None:
        self._crashes += 1
        after = self._folder.with_name(str(self._crashes))
        shutil.copytree(self._folder, after)
        self._journal.close()
        self._folder = after
        self.queue = self._journal = Journal(after / "journal.sqlite3")

    def away(self) -> None:
        self._full = full_disk(self._folder / "journal.sqlite3-wal", 0)
        self._full.__enter__()

    def back(self) -> None:
        self._full.__exit__(None, None, None)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[JournalHome]:
    home = JournalHome(tmp_path)
    yield home
    home.queue.close()


class TestContract(QueueContract):
    """What every home has to do."""
