"""Disks that are small enough to fill, made to order."""

import contextlib
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from .platform import Platform

MIB = 1024**2


class Disk(ABC):
    """A place for a data folder whose room can be taken away and given back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def fill(self, platform: Platform) -> None:
        """Nothing more can be written from now on."""

    @abstractmethod
    def give_room(self, platform: Platform) -> None:
        """There is room again."""


class SmallFileSystem(Disk):
    """A file system of its own, filled by a file."""

    def fill(self, platform: Platform) -> None:
        with (self.folder / "ballast").open("ab", buffering=0) as ballast:
            for size in (MIB, 4096, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(b"x" * size) == size:
                        pass

    def give_room(self, platform: Platform) -> None:
        (self.folder / "ballast").unlink()


class FileSizeLimit(Disk):
    """The process may write to the first page of a file only, which is harsher than a full disk.

    It is what is left where nothing can be mounted.
    """

    def fill(self, platform: Platform) -> None:
        self._limit(platform, "4096")

    def give_room(self, platform: Platform) -> None:
        self._limit(platform, "unlimited")

    def _limit(self, platform: Platform, size: str) -> None:
        assert platform.process is not None
        limit = ["prlimit", "--pid", str(platform.process.pid), f"--fsize={size}:unlimited"]
        subprocess.run(limit, check=True)


def _mount(folder: Path, size: int) -> str | None:
    """Mount a file system; how it is called, or None where that is not allowed."""
    image = folder.with_name(f"{folder.name}.img")
    with image.open("wb") as file:
        file.truncate(size)
    ways = {
        "ext4": [["mkfs.ext4", "-q", "-m", "0", str(image)],
                 ["mount", "-o", "loop", str(image), str(folder)]],
        "tmpfs": [["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]],
    }  # fmt: skip
    for name, commands in ways.items():
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            for command in commands:
                subprocess.run(command, check=True, capture_output=True)
            return name
    return None


@contextlib.contextmanager
def small_disk(folder: Path, size: int = 64 * MIB) -> Iterator[tuple[str, Disk]]:
    """What kind of disk it is, and the disk: the most real one that this machine allows."""
    folder.mkdir()
    kind = _mount(folder, size) if os.geteuid() == 0 else None
    if kind is None:
        yield "a limit on the size of files (nothing can be mounted here)", FileSizeLimit(folder)
        return
    try:
        yield f"a mounted {kind}", SmallFileSystem(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
