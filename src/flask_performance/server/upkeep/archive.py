"""The one file that a backup is: a gzipped tar, which `tar xzf` and `sha256sum -c` understand, too.

```
manifest.json            what this is, made by which version, when, the size of every file
accounts.sqlite3 …       the files of the data folder
SHA256SUMS               the checksum of everything before it; what has none is not whole
```
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final

from .errors import UpkeepError

#: Version of the drawing above.
FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SUMS: Final = "SHA256SUMS"
#: Bytes read at once.
PART: Final = 1024**2
#: Manifest and checksums are shorter than this (bytes), whatever a file says that is no backup.
SHORT: Final = 1024**2
#: What is raised where a file is no backup.
UNREADABLE: Final = (
    tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError,
)  # fmt: skip
#: The quickest: most of it is packed already.
LEVEL: Final = 1

#: Is told how many more bytes were packed or unpacked.
Progress = Callable[[int], None]


class _Summed(io.RawIOBase):
    """Reads a file, adds its checksum up, and tells how far it is."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file, self._progress = file, progress
        self.sum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(size)
        self.sum.update(part)
        self._progress(len(part))
        return part


def pack(folder: Path, file: Path, progress: Progress) -> None:
    """Pack the files of a folder; the file is there when it is whole. Raises UpkeepError."""
    refuse_existing(file)
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        with _created(unfinished) as target:
            with (
                gzip.GzipFile("", "wb", LEVEL, target) as packed,
                tarfile.open(fileobj=packed, mode="w|") as archive,
            ):
                _pack_into(archive, sorted(folder.iterdir()), progress)
            target.flush()
            os.fsync(target.fileno())
        unfinished.rename(file)
    except OSError as error:
        raise UpkeepError(f"{file} cannot be written ({error.strerror or error}).") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def refuse_existing(file: Path) -> None:
    """Raises UpkeepError: no file is ever replaced."""
    if file.exists():
        raise UpkeepError(f"{file} is there already; choose another name, or move it away.")


def _created(file: Path) -> IO[bytes]:
    """An empty file for its owner alone: it holds password hashes and the key of sessions."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _pack_into(archive: tarfile.TarFile, files: list[Path], progress: Progress) -> None:
    manifest = {
        "format": FORMAT,
        "version": version("flask-performance"),
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": {file.name: file.stat().st_size for file in files},
    }
    text = json.dumps(manifest, indent=2).encode() + b"\n"
    sums = [f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n"]
    archive.addfile(_entry(MANIFEST, len(text)), io.BytesIO(text))
    for file in files:
        with file.open("rb") as source:
            summed = _Summed(source, progress)
            archive.addfile(_entry(file.name, file.stat().st_size), summed)
        sums.append(f"{summed.sum.hexdigest()}  {file.name}\n")
    text = "".join(sums).encode()
    archive.addfile(_entry(SUMS, len(text)), io.BytesIO(text))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    return entry


def unpack(file: Path, folder: Path, names: frozenset[str], progress: Progress) -> dict[str, Any]:
    """Unpack a backup into a folder and hold it against its checksums; the manifest.

    `names`: the files that a data folder may have. Raises UpkeepError.
    """
    with _readable(file), file.open("rb") as packed:
        counted = _Summed(packed, progress)
        with tarfile.open(fileobj=counted, mode="r|gz") as archive:
            return _unpack_from(archive, file, folder, names)


def _unpack_from(
    archive: tarfile.TarFile, file: Path, folder: Path, names: frozenset[str]
) -> dict[str, Any]:
    manifest: dict[str, Any] = {}
    sums: dict[str, str] = {}
    said = None
    for entry in archive:
        content = archive.extractfile(entry)
        if content is None or said is not None or (entry.name == MANIFEST) == bool(manifest):
            raise _damaged(file, f"{entry.name!r} has no place in it")
        if entry.name == SUMS:
            said = content.read(SHORT).decode()
        elif entry.name == MANIFEST:
            text = content.read(SHORT)
            manifest = _manifest(file, text)
            _check_room(folder, manifest)
            sums[MANIFEST] = hashlib.sha256(text).hexdigest()
        elif entry.name in names and entry.size == manifest["files"].get(entry.name):
            sums[entry.name] = _unpack_one(content, folder / entry.name)
        else:
            raise _damaged(file, f"{entry.name!r} has no place in it")
    if said is None:
        raise _damaged(file, "its end is missing")
    if said != "".join(f"{value}  {name}\n" for name, value in sums.items()):
        raise _damaged(file, "its content does not match its checksums")
    return manifest


def _manifest(file: Path, text: bytes) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(text)
    if manifest["format"] > FORMAT:
        raise UpkeepError(
            f"{file} was made by Flask-Performance {manifest['version']}, whose backups this "
            "version does not know. Install that version or a later one; nothing was changed."
        )
    return manifest


def _check_room(folder: Path, manifest: dict[str, Any]) -> None:
    """Before a disk is filled with what does not fit, or was made to fill it."""
    needed, free = sum(manifest["files"].values()), shutil.disk_usage(folder).free
    if needed > free:
        raise UpkeepError(
            f"The backup needs {needed / 1e6:,.0f} MB, and the disk of {folder.parent} has only "
            f"{free / 1e6:,.0f} MB free. Nothing was changed."
        )


def _unpack_one(content: IO[bytes], file: Path) -> str:
    found = hashlib.sha256()
    with _created(file) as target:
        while part := content.read(PART):
            found.update(part)
            target.write(part)
        target.flush()
        os.fsync(target.fileno())
    return found.hexdigest()


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise _damaged(file, str(error)) from error
    except OSError as error:
        raise UpkeepError(f"{file} cannot be unpacked ({error.strerror or error}).") from error


def _damaged(file: Path, why: str) -> UpkeepError:
    return UpkeepError(f"{file} is no backup, or damaged ({why}). Nothing was changed.")
