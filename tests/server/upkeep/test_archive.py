"""A backup is one file: whole, or refused with a sentence."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from flask_performance.server.upkeep import archive
from flask_performance.server.upkeep.archive import MANIFEST, SUMS, pack, unpack
from flask_performance.server.upkeep.errors import UpkeepError

NAMES = frozenset({"accounts.sqlite3", "events.duckdb"})
FILES = {"accounts.sqlite3": b"people" * 1000, "events.duckdb": bytes(range(256)) * 5000}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    parts: list[int] = []
    pack(folder, tmp_path / "backup.tgz", parts.append)
    assert sum(parts) == sum(map(len, FILES.values()))
    return tmp_path / "backup.tgz"


def unpacked(file: Path, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    parts: list[int] = []
    manifest = unpack(file, folder, NAMES, parts.append)
    assert sum(parts) == file.stat().st_size
    assert manifest["files"] == {name: len(content) for name, content in FILES.items()}
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def test_what_was_packed_comes_out(packed: Path, tmp_path: Path) -> None:
    assert unpacked(packed, tmp_path / "out") == FILES
    assert packed.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.glob("*unfinished*")] == []


def test_the_tools_of_any_system_read_it(packed: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "xzf", str(packed)], cwd=tmp_path, check=True)
    subprocess.run(["sha256sum", "--check", SUMS], cwd=tmp_path, check=True, capture_output=True)


def test_no_file_is_replaced_and_none_is_left_half_done(packed: Path, tmp_path: Path) -> None:
    before = packed.read_bytes()
    with pytest.raises(UpkeepError, match="is there already"):
        pack(tmp_path / "folder", packed, lambda _: None)
    assert packed.read_bytes() == before
    with pytest.raises(UpkeepError, match="cannot be written"):
        pack(tmp_path / "folder", tmp_path / "missing" / "backup.tgz", lambda _: None)


def test_a_disk_that_fills_up_leaves_no_backup(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Path) -> io.FileIO:
        return io.FileIO("/dev/full", "wb")

    monkeypatch.setattr(archive, "_created", full)
    with pytest.raises(UpkeepError, match="No space left"):
        pack(tmp_path / "folder", tmp_path / "other.tgz", lambda _: None)
    assert not (tmp_path / "other.tgz").exists()


def flipped(content: bytes) -> bytes:
    text = bytearray(gzip.decompress(content))
    text[text.index(b"peoplepeople") + 7] ^= 1
    return gzip.compress(bytes(text))


def with_manifest(content: bytes, **members: object) -> bytes:
    """The same with another manifest, and sums that fit it."""
    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as source,
        tarfile.open(fileobj=target, mode="w:gz") as result,
    ):
        sums = ""
        for entry in source:
            part = source.extractfile(entry)
            assert part is not None
            text = part.read()
            if entry.name == MANIFEST:
                text = json.dumps(json.loads(text) | members).encode()
            if entry.name == SUMS:
                text = sums.encode()
            sums += f"{hashlib.sha256(text).hexdigest()}  {entry.name}\n"
            entry.size = len(text)
            result.addfile(entry, io.BytesIO(text))
    return target.getvalue()


def with_stranger(content: bytes) -> bytes:
    target = io.BytesIO(gzip.decompress(content))
    with tarfile.open(fileobj=target, mode="a") as result:
        result.addfile(tarfile.TarInfo("../../etc/passwd"))
    return gzip.compress(target.getvalue())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[: len(content) // 2], "is no backup, or damaged"),
        (lambda _: b"", "is no backup, or damaged"),
        (lambda content: b"PK" + content, "is no backup, or damaged"),
        (lambda _: gzip.compress(b"no tar"), "is no backup, or damaged"),
        (flipped, "does not match its checksums"),
        (with_stranger, "has no place in it"),
        (lambda content: with_manifest(content, format=2, version="9.1"), "Flask-Performance 9.1"),
        (lambda content: with_manifest(content, format=None), "is no backup, or damaged"),
        (lambda content: with_manifest(content, files=[]), "is no backup, or damaged"),
        (lambda content: with_manifest(content, files={}), "has no place in it"),
        (lambda content: with_manifest(content, files={"a": 10**15}), "needs 1,000,000,000 MB"),
    ],
)
def test_what_is_damaged_or_newer_is_refused(
    packed: Path, tmp_path: Path, damage: Callable[[bytes], bytes], words: str
) -> None:
    packed.write_bytes(damage(packed.read_bytes()))
    (tmp_path / "out").mkdir()
    with pytest.raises(UpkeepError, match=words):
        unpack(packed, tmp_path / "out", NAMES, lambda _: None)
    assert not (tmp_path / "etc").exists()


def test_a_backup_without_its_end_is_refused(packed: Path, tmp_path: Path) -> None:
    target = io.BytesIO()
    with (
        tarfile.open(packed) as source,
        tarfile.open(fileobj=target, mode="w:gz") as result,
    ):
        for entry in source:
            if entry.name != SUMS:
                result.addfile(entry, source.extractfile(entry))
    packed.write_bytes(target.getvalue())
    (tmp_path / "out").mkdir()
    with pytest.raises(UpkeepError, match="its end is missing"):
        unpack(packed, tmp_path / "out", NAMES, lambda _: None)
