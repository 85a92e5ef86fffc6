"""Batches that wait on disk: one file each, delivered byte for byte by whichever process comes.

The name says all that is needed without reading it: `<instance>-<number>-<requests>.batch`. A file
that a process is busy with is renamed; a batch that is sent twice all the same is stored once.
"""

import contextlib
import logging
import os
import re
import time
from pathlib import Path
from typing import Final

logger = logging.getLogger("flask_performance")

_WAITING: Final = re.compile(r"([0-9a-f]{32})-(\d{10})-(\d+)\.batch")
_CLAIMED: Final = re.compile(r"([0-9a-f]{32}-\d{10}-\d+\.batch)\.\d+\.sending")
#: A claim this old (seconds) belongs to a process that has ended.
STALE_CLAIM: Final = 300.0
MIB: Final = 1024 * 1024


class Spooled:
    """A batch file that this process is busy with.

    :param path: its claimed name.
    :param waiting: its name while it waits.
    """

    __slots__ = ("body", "instance", "number", "path", "requests", "waiting")

    def __init__(
        self, path: Path, waiting: Path, instance: str, number: int, requests: int, body: bytes
    ) -> None:
        self.path = path
        self.waiting = waiting
        self.instance = instance
        self.number = number
        self.requests = requests
        self.body = body


class Spool:
    """A folder of batches; several processes may share it. Raises OSError only when it is made."""

    def __init__(self, folder: Path, most_mib: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._most = int(most_mib * MIB)
        #: Own batches in the folder, so that later ones queue up behind them.
        self.own = 0

    def put(self, instance: str, number: int, requests: int, body: bytes) -> bool:
        """Keep a batch. False when there is no room or no way to write."""
        if self._size() + len(body) > self._most:
            return False
        name = f"{instance}-{number:010d}-{requests}.batch"
        unfinished = self._folder / f"{name}.{os.getpid()}.writing"
        try:
            unfinished.write_bytes(body)
            unfinished.rename(self._folder / name)
        except OSError as error:
            logger.warning("Flask-Performance cannot write to METRIC_SPOOL: %s", error)
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            return False
        self.own += 1
        return True

    def claim(self, instance: str) -> Spooled | None:
        """The next batch to send: own ones in order, then what other processes left behind."""
        found = sorted(self._waiting(), key=lambda file: (file[1] != instance, file[0]))
        for file in found:
            spooled = self._try_claim(file)
            if spooled is not None:
                if spooled.instance == instance:
                    self.own -= 1
                return spooled
        self.own = 0
        return None

    def _try_claim(self, file: re.Match[str]) -> Spooled | None:
        name, instance, number, requests = file.group(0, 1, 2, 3)
        waiting = self._folder / name
        claimed = self._folder / f"{name}.{os.getpid()}.sending"
        try:
            waiting.rename(claimed)  # one process wins
            os.utime(claimed)
            body = claimed.read_bytes()
        except OSError:
            return None
        return Spooled(claimed, waiting, instance, int(number), int(requests), body)

    def done(self, spooled: Spooled) -> None:
        """It has been answered."""
        with contextlib.suppress(OSError):
            spooled.path.unlink(missing_ok=True)

    def give_back(self, spooled: Spooled) -> None:
        """It has not, and this process ends."""
        with contextlib.suppress(OSError):
            spooled.path.rename(spooled.waiting)

    def waiting(self) -> int:
        """How many batches wait, whoever left them."""
        return len(self._waiting())

    def _waiting(self) -> list[re.Match[str]]:
        """The names of waiting files, those of dead processes included."""
        try:
            names = os.listdir(self._folder)  # noqa: PTH208  names are all we need
        except OSError:
            return []
        for name in names:
            claimed = _CLAIMED.fullmatch(name)
            if claimed is not None:
                self._free_if_stale(self._folder / name, self._folder / claimed[1])
        return [file for file in map(_WAITING.fullmatch, names) if file is not None]

    def _free_if_stale(self, path: Path, waiting: Path) -> None:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_CLAIM:
                path.rename(waiting)

    def _size(self) -> int:
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            return sum(entry.stat().st_size for entry in entries)
        return 0
