"""What stops `serve` from starting: one sentence that helps, exit code 1, nothing damaged."""

import contextlib
import hashlib
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from tests.support.http import answers
from tests.support.platform import STOP_SECONDS, Platform, run_command, running_platform
from tests.support.waiting import free_port

pytestmark = pytest.mark.slow


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command failed as promised, and what it said names the cause."""
    said = done.stderr.strip()
    assert done.returncode == 1, (done.returncode, done.stdout, said)
    assert len(said.splitlines()) == 1, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, (word, said)


def serve(data: Path, port: int | None = None) -> subprocess.CompletedProcess[str]:
    return run_command(data, "serve", "--port", str(port or free_port()), "--data", str(data))


def fingerprints(folder: Path) -> dict[str, str]:
    """Content of every database and secret, by name."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.suffix in (".sqlite3", ".duckdb") or file.name == "secret_key"
    }


@pytest.fixture
def stopped(tmp_path: Path) -> Platform:
    """A platform that has run, has a user and a project, and has ended as it should."""
    with running_platform(tmp_path / "data") as platform:
        platform.project()
        assert platform.stop() == 0
    return platform


def test_a_file_in_place_of_the_data_folder(tmp_path: Path) -> None:
    # The folder is refused for root too, whom permissions do not stop.
    data = tmp_path / "data"
    data.write_text("precious")
    assert_one_line(serve(data), str(data), "is a file", "--data")
    assert_one_line(serve(data / "below"), str(data / "below"), "is a file", "--data")
    assert data.read_text() == "precious"


def test_a_data_folder_on_a_read_only_file_system(tmp_path: Path) -> None:
    # /proc takes no new folder from anybody.
    assert_one_line(serve(Path("/proc/flask-performance")), "/proc/flask-performance")


@contextlib.contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def test_a_taken_port(tmp_path: Path) -> None:
    port = free_port()
    with listening(port):
        assert_one_line(serve(tmp_path / "data", port), str(port), "--port")


def test_the_port_of_another_platform(platform: Platform, tmp_path: Path) -> None:
    # Servers that share a port by SO_REUSEPORT would get half of the requests each.
    assert_one_line(serve(tmp_path / "other", platform.port), str(platform.port))
    assert answers(f"{platform.url}/health")


def test_a_second_serve_on_the_same_folder(platform: Platform) -> None:
    assert_one_line(serve(platform.data), str(platform.data))
    assert answers(f"{platform.url}/health")
    assert platform.stop() == 0


def test_a_lock_left_by_a_killed_serve_does_not_count(platform: Platform) -> None:
    platform.kill()
    platform.start()
    assert platform.stop() == 0


def _newer_accounts(data: Path) -> None:
    _change(data / "accounts.sqlite3", "UPDATE alembic_version SET version_num = 'ffff'")


def _newer_journal(data: Path) -> None:
    _change(data / "journal.sqlite3", "PRAGMA user_version = 4711")


def _newer_store(data: Path) -> None:
    with contextlib.closing(duckdb.connect(str(data / "events.duckdb"))) as connection:
        connection.execute("UPDATE meta SET value = 4711 WHERE name = 'schema'")


def _change(database: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("made_newer", [_newer_accounts, _newer_journal, _newer_store])
def test_a_database_of_a_newer_version(
    stopped: Platform, made_newer: Callable[[Path], None]
) -> None:
    made_newer(stopped.data)
    before = fingerprints(stopped.data)
    assert_one_line(serve(stopped.data), "newer version")
    assert fingerprints(stopped.data) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("events.duckdb", ("event store", "backup", "events.duckdb.wal away", "are gone then")),
        ("journal.sqlite3", ("journal", "journal.sqlite3-wal", "away", "is gone then")),
    ],
)
def test_a_damaged_database_says_what_to_do_and_doing_it_helps(
    stopped: Platform, name: str, words: tuple[str, ...]
) -> None:
    for file in stopped.data.glob(f"{name}?*"):
        file.unlink()
    damaged = stopped.data / name
    damaged.write_bytes(b"damage" * 10_000)
    before = fingerprints(stopped.data)
    assert_one_line(serve(stopped.data), str(damaged), *words)
    assert fingerprints(stopped.data) == before
    for file in stopped.data.glob(f"{name}*"):
        file.unlink()
    stopped.start()
    assert stopped.api().items("/projects")
    assert stopped.stop() == 0


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--port", "many")])
def test_an_option_that_cannot_be_right_is_refused_as_click_does(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run_command(tmp_path / "data", "serve", *arguments)
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_url_setting_without_a_scheme(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "data")
    with pytest.raises(AssertionError, match=r"FLASK_PERFORMANCE_URL is 'metrics\.example\.com'"):
        platform.start(FLASK_PERFORMANCE_URL="metrics.example.com")
    assert platform.process is not None
    assert platform.process.wait(STOP_SECONDS) == 1
