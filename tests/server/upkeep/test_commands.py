"""The operator's commands, in a folder that nobody serves and in one that is served."""

import asyncio
import contextlib
import csv
import logging
import socket
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from flask_performance.server.commands import cli
from flask_performance.server.ingest.worker import IngestWorker
from flask_performance.server.queue import dead_letters
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings
from flask_performance.server.store.base import Filter
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.upkeep.control import answering, ask
from flask_performance.server.upkeep.errors import UpkeepError
from flask_performance.server.upkeep.tasks import Tasks
from tests.server.batches import START_US, batch, body, zipped
from tests.support.waiting import wait_for

EVER = Filter(project_id=1, start_us=0, end_us=2 * START_US)
FORMULA = batch(1)
FORMULA["requests"]["path"] = ["=1+1", "/a,b", '/"q"']


class Folder:
    """A data folder with a project, as `serve` would have it, served by its parts or not."""

    def __init__(self, data: Path) -> None:
        self.settings = Settings(data=data)
        self.run("user", "create", "ada@example.com", "--password-stdin", input="correct horse 9")
        self.run("project", "create", "Shop")

    def run(self, *arguments: str, code: int = 0, input: str | None = None) -> Result:
        data = str(self.settings.data)
        done = CliRunner().invoke(
            cli,
            arguments,
            env={"FLASK_PERFORMANCE_DATA": data},
            input=input,
            catch_exceptions=False,
        )
        assert done.exit_code == code, done.output
        return done

    def fails(self, *arguments: str) -> str:
        return self.run(*arguments, code=1).stderr

    @contextlib.contextmanager
    def parts(self) -> Iterator[tuple[DuckDBStore, Journal]]:
        with (
            contextlib.closing(DuckDBStore(self.settings.events)) as store,
            contextlib.closing(Journal(self.settings.journal)) as journal,
        ):
            worker = IngestWorker(journal, store, {1}.__contains__)
            worker.start()
            yield store, journal
            worker.stop(10)

    @contextlib.contextmanager
    def served(self) -> Iterator[tuple[DuckDBStore, Journal]]:
        with (
            self.parts() as (store, journal),
            answering(self.settings, Tasks(self.settings, store, journal)),
        ):
            yield store, journal

    def fill(self) -> None:
        """Three requests and a dead letter."""
        with self.parts() as (store, journal):
            post(journal, zipped(FORMULA), body({"version": 1, "batch": 1}), body(batch(2)))
            wait_for(lambda: store.summary(EVER).requests == 6, 10, "six stored requests")
            wait_for(lambda: journal.waiting_bytes == 0, 10, "an empty journal")


def post(journal: Journal, *bodies: bytes) -> None:
    async def put() -> None:
        for content in bodies:
            await journal.put(Envelope(1, START_US, content.startswith(b"\x1f\x8b"), content))

    asyncio.run(put())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    # Longer than a socket's address may be.
    return Folder(tmp_path / ("a long name " * 8).strip() / "data")


@pytest.fixture(params=["served", "stopped"])
def filled(folder: Folder, request: pytest.FixtureRequest) -> Iterator[Folder]:
    folder.fill()
    with folder.served() if request.param == "served" else contextlib.nullcontext():
        yield folder


def test_a_backup_comes_back_as_it_was(filled: Folder, tmp_path: Path) -> None:
    file, other = tmp_path / "backup.tgz", tmp_path / "other"
    filled.run("backup", str(file))
    assert not list(filled.settings.data.glob("scratch-*")), "the copy is gone"
    assert "is there already" in filled.fails("backup", str(file))
    done = filled.run("restore", str(file), "--data", str(other))
    assert f"{other} is as it was at 20" in done.stderr
    secret = filled.settings.secret_key.read_bytes()
    assert Settings(data=other).secret_key.read_bytes() == secret
    with contextlib.closing(DuckDBStore(other / "events.duckdb")) as store:
        assert store.summary(EVER).requests == 6
    listed = filled.run("dead-letter", "list").stdout
    assert filled.run("dead-letter", "list", "--data", str(other)).stdout == listed
    assert "is not empty" in filled.fails("restore", str(file), "--data", str(other))
    assert "There is no file" in filled.fails("restore", str(tmp_path / "no"), "--data", "new")


def test_a_restore_that_is_refused_leaves_an_empty_folder(folder: Folder, tmp_path: Path) -> None:
    folder.fill()
    with contextlib.closing(duckdb.connect(str(folder.settings.events))) as events:
        events.execute("update meta set value = 4711 where name = 'schema'")
    file, other = tmp_path / "backup.tgz", tmp_path / "other"
    folder.run("backup", str(file))
    assert "newer version" in folder.fails("restore", str(file), "--data", str(other))
    assert {one.name for one in other.iterdir()} <= {"serve.lock"}
    file.write_bytes(file.read_bytes()[:5000])
    assert "damaged" in folder.fails("restore", str(file), "--data", str(other))
    assert {one.name for one in other.iterdir()} <= {"serve.lock"}


def test_the_collector_goes_on_while_a_copy_is_made(folder: Folder) -> None:
    folder.fill()
    with (
        folder.served() as (store, journal),
        contextlib.closing(Tasks(folder.settings, store, journal).run("snapshot", {})) as answers,
    ):
        assert "percent" in next(answers)
        post(journal, body(batch(3)))
        assert store.summary(EVER).requests == 6
        told = list(answers)[-2:]
        assert told[0]["paused"] > 0
        wait_for(lambda: store.summary(EVER).requests == 9, 10, "what waited to be stored")


def test_one_copy_at_a_time_and_none_without_room(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.fill()
    with folder.served():
        first = ask(folder.settings, "snapshot")
        held = next(answer for answer in first if "hold" in answer)
        with pytest.raises(UpkeepError, match="Another backup or export is under way"):
            list(ask(folder.settings, "snapshot"))
        assert Path(held["hold"]).is_dir()
        first.close()  # the asker went away
        wait_for(lambda: not Path(held["hold"]).exists(), 10, "the copy to be deleted")
        usage = type("Usage", (), {"free": 10**6})
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
        with pytest.raises(UpkeepError, match=r"has only 1 MB free. Make room there"):
            list(ask(folder.settings, "snapshot"))


def test_requests_are_exported_to_csv_that_no_spreadsheet_runs(
    filled: Folder, tmp_path: Path
) -> None:
    file = tmp_path / "requests.csv"
    filled.run("export", "Shop", str(file))
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["path"] for row in rows[:3]] == ["'=1+1", "/a,b", '/"q"']
    assert rows[0]["start"] == "2025-11-21T12:00:00.000000Z"
    assert (rows[0]["duration_ms"], rows[0]["outcome"], rows[0]["host"]) == (
        "1.0", "completed", "web-1",
    )  # fmt: skip
    assert len(rows) == 6
    assert "is there already" in filled.fails("export", "Shop", str(file))


def test_requests_of_a_window_are_exported_to_parquet(filled: Folder, tmp_path: Path) -> None:
    file = tmp_path / "requests.parquet"
    filled.run("export", "Shop", str(file), "--start", "2025-11-21T12:00:00.000001Z",
               "--end", "2025-11-21T13:00:00.000002+01:00")  # fmt: skip
    with contextlib.closing(duckdb.connect()) as reader:
        rows = reader.execute(f"select epoch_us(start), path, status from '{file}' order by path")
        found = rows.fetchall()
        described = reader.execute(f"select column_name, column_type from (describe '{file}')")
        kinds = dict(described.fetchall())
    assert found == [(START_US + 1, "/a,b", 200), (START_US + 1, "/users/2-1", 200)]
    assert kinds["start"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["duration_ms"] == "DOUBLE"


def test_the_columns_of_an_export_are_those_of_the_page(filled: Folder, tmp_path: Path) -> None:
    from flask_performance.server.dashboard.downloads import COLUMNS

    file = tmp_path / "requests.csv"
    filled.run("export", "Shop", str(file))
    assert file.read_text().splitlines()[0].split(",") == list(COLUMNS)


def test_an_export_that_cannot_be_made_says_why(folder: Folder, tmp_path: Path) -> None:
    assert "no project 'Shed'" in folder.fails("export", "Shed", str(tmp_path / "a.csv"))
    assert "must end in" in folder.fails("export", "Shop", str(tmp_path / "a.xlsx"))
    folder.run("project", "create", "Shop", "--team", "Other")
    words = folder.fails("export", "Shop", str(tmp_path / "a.csv"))
    assert "say which by its id" in words
    assert "(team Other)" in words
    missing = str(tmp_path / "missing" / "a.csv")
    public_id = words.split("by its id: ")[1].split()[0]
    assert "cannot be written" in folder.fails("export", public_id, missing)
    done = folder.run("export", public_id, missing, "--start", "yesterday", code=2)
    assert "is no time such as" in done.stderr


def test_dead_letters_are_listed_shown_replayed_and_deleted(filled: Folder) -> None:
    listed = filled.run("dead-letter", "list").stdout
    assert "  Shop  " in listed
    assert "  26 bytes  0 requests  " in listed
    letter = listed.split()[0]
    assert (
        filled.run("dead-letter", "show", letter).stdout == '{\n  "version": 1,\n  "batch": 1\n}\n'
    )
    assert "no dead letter 4711" in filled.fails("dead-letter", "show", "4711")
    assert "no dead letter 4711" in filled.fails("dead-letter", "replay", letter, "4711")
    assert "say --all" in filled.fails("dead-letter", "replay")
    assert "say --all" in filled.fails("dead-letter", "delete", letter, "--all")
    journal = filled.settings.journal
    assert dead_letters.count(journal) == 1
    assert filled.run("dead-letter", "replay", letter).stderr == "1 in the queue again.\n"
    if filled.settings.control.exists():  # who serves tries it again, and buries it again
        wait_for(lambda: dead_letters.count(journal) == 1, 10, "it to be buried again")
        assert filled.run("dead-letter", "list").stdout.split()[0] != letter
        assert filled.run("dead-letter", "delete", "--all").stderr == "1 deleted.\n"
    assert dead_letters.count(journal) == 0
    assert filled.run("dead-letter", "list").stdout == ""


def test_the_socket_is_its_owners_and_answers_nobody_in_a_wrong_language(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    control = folder.settings.control
    control.touch()  # as one is left behind by `kill -9`
    with folder.served():
        assert stat.S_IMODE(control.stat().st_mode) == 0o600
        assert stat.S_ISSOCK(control.stat().st_mode)
        with pytest.raises(UpkeepError, match="does not know how to do 'dance'"):
            list(ask(folder.settings, "dance"))
        with pytest.raises(UpkeepError, match="The server failed"):
            list(ask(folder.settings, "export", colour="red"))
        assert list(ask(folder.settings, "dead-letters")) == []
    assert not control.exists()
    with pytest.raises(UpkeepError, match="no data folder"):
        list(ask(Settings(data=folder.settings.data / "missing"), "snapshot"))


def test_a_server_without_a_socket_serves_all_the_same(
    folder: Folder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.fill()

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    caplog.set_level(logging.WARNING)
    with folder.served() as (store, _):
        assert store.summary(EVER).requests == 6
    assert "backup, export and dead-letter need this server stopped" in caplog.text


def test_what_a_killed_server_left_of_a_copy_is_deleted(folder: Folder) -> None:
    folder.fill()
    left = folder.settings.data / "scratch-left"
    left.mkdir()
    (left / "events.duckdb").write_bytes(b"half")
    with folder.served():
        assert not left.exists()


def test_a_replay_while_the_journal_is_written_loses_nothing(folder: Folder) -> None:
    with folder.served() as (store, journal):
        for number in range(1000, 1050):
            journal.bury(number, Envelope(1, START_US, False, body(batch(number))), "once")
        loading = threading.Thread(
            target=post, args=(journal, *map(body, map(batch, range(1, 200))))
        )
        loading.start()
        folder.run("dead-letter", "replay", "--all")
        loading.join()
        wait_for(lambda: store.summary(EVER).requests == 3 * 249, 20, "all to be stored")
        wait_for(lambda: journal.waiting_bytes == 0, 10, "an empty journal")
    with contextlib.closing(sqlite3.connect(folder.settings.journal)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
