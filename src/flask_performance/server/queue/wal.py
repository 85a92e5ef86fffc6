"""Whether the journal's write-ahead log lost anything that was durable.

SQLite reads such a log up to the first frame that is not sound, and takes what follows for a
transaction that never ended. After `kill -9` or a power cut that is right; where a disk or a hand
damaged the file, acknowledged batches would be gone without a word. Witness of that is the index
beside the log (`-shm`): it names the last frame that was durable, because SQLite writes it after
the log was synced. Formats: https://www.sqlite.org/walformat.html
"""

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

HEADER: Final = 32
FRAME_HEADER: Final = 24
#: The first words of a log; checksums of the second read words in the other order of bytes.
MAGIC: Final = {0x377F0682: "<u4", 0x377F0683: ">u4"}
#: Frames read at once.
FRAMES: Final = 256

Sum = tuple[int, int]
Words = NDArray[np.uint32]


class Log(NamedTuple):
    """What SQLite will find in a log."""

    #: Both numbers of the log's generation, as bytes; empty where not even its header is sound.
    salts: bytes = b""
    #: Frames up to the end of the last transaction that is whole.
    committed: int = 0
    #: Ends of transactions behind the first frame that is not sound.
    behind: int = 0


class Index(NamedTuple):
    """What the index beside a log says of it."""

    salts: bytes
    #: Frames that were durable.
    frames: int
    #: Of these, frames that the database itself has, too.
    copied: int


class Damage(NamedTuple):
    """Something durable cannot be read."""

    frames: int
    #: The database is newer than what can be read of the log, which only would take it back.
    log_is_older: bool


def damage(database: Path) -> Damage | None:
    """Ask it while nobody has the database open."""
    log_file = database.with_name(f"{database.name}-wal")
    log = _read_log(log_file) if log_file.exists() else Log()
    index = _read_index(database.with_name(f"{database.name}-shm"))
    if index is not None and index.frames and index.salts == (log.salts or index.salts):
        if log.committed >= index.frames:
            return None
        older = log.committed <= index.copied
        readable = max(log.committed, index.copied)
        return Damage(index.frames - readable, older) if index.frames > readable or older else None
    # Without a witness: only the last transaction may be torn, whatever the disk wrote first.
    return Damage(log.behind, log_is_older=False) if log.behind > 1 else None


def _read_index(file: Path) -> Index | None:
    """None where it is not there, or not whole."""
    try:
        with file.open("rb") as index:
            content = index.read(100)
    except FileNotFoundError:
        return None
    if len(content) < 100 or content[:48] != content[48:96]:
        return None
    if _checksum(np.frombuffer(content, "=u4", 10)) != struct.unpack("=2I", content[40:48]):
        return None
    [frames], [copied] = (struct.unpack_from("=I", content, at) for at in (16, 96))
    return Index(content[32:40], frames, copied)


def _read_log(file: Path) -> Log:
    with file.open("rb") as log:
        header = log.read(HEADER)
        kind = MAGIC.get(int.from_bytes(header[:4], "big"))
        if len(header) < HEADER or kind is None:
            return Log()
        total = _checksum(np.frombuffer(header, kind, 6))
        if total != struct.unpack(">2I", header[24:32]):
            return Log()
        page, salts = int.from_bytes(header[8:12], "big"), header[16:24]
        committed = behind = 0
        sound = True
        frames = iter(lambda: log.read(FRAMES * (FRAME_HEADER + page)), b"")
        for number, (frame, part) in enumerate(_frames(frames, page, kind), 1):
            own = frame[8:16] == salts
            if sound:
                total = _joined(total, part, (page + 8) // 8)
                sound = own and total == struct.unpack(">2I", frame[16:24])
            is_end = frame[4:8] != bytes(4)
            if sound and is_end:
                committed = number
            behind += not sound and own and is_end
    return Log(salts, committed, behind)


def _frames(chunks: Iterator[bytes], page: int, kind: str) -> Iterator[tuple[bytes, Sum]]:
    """The header of every whole frame, and the checksum of the frame alone."""
    size = FRAME_HEADER + page
    factors = _factors((page + 8) // 8)
    for chunk in chunks:
        rows = np.frombuffer(chunk, np.uint8, len(chunk) // size * size).reshape(-1, size)
        summed = np.ascontiguousarray(np.hstack((rows[:, :8], rows[:, FRAME_HEADER:])))
        words = summed.view(kind).astype(np.uint32)
        for row, part in zip(rows, _sums(words, factors), strict=True):
            yield row[:FRAME_HEADER].tobytes(), part


# The checksum takes words in pairs: `a += x + b; b += y + a`. That is a linear map, so every pair
# counts with a factor that depends on its place alone, and numpy adds a log up in no time.


@cache
def _factors(pairs: int) -> Words:
    """For each pair, last first: what x and y add to a, and what they add to b."""
    found = np.empty((4, pairs), np.uint32)
    ax, ay, bx, by = 1, 0, 1, 1
    for place in range(pairs - 1, -1, -1):
        found[:, place] = ax, ay, bx, by
        ax, ay, bx, by = (n & 0xFFFFFFFF for n in (ax + bx, ay + by, ax + 2 * bx, ay + 2 * by))
    return found


def _sums(words: Words, factors: Words) -> list[Sum]:
    x, y = words[:, ::2], words[:, 1::2]
    a = (x * factors[0] + y * factors[1]).sum(axis=1, dtype=np.uint32)
    b = (x * factors[2] + y * factors[3]).sum(axis=1, dtype=np.uint32)
    return list(zip(a.tolist(), b.tolist(), strict=True))


def _joined(before: Sum, part: Sum, pairs: int) -> Sum:
    """The sum of something and of so many pairs behind it."""
    a, b = before
    power = _power(pairs)
    return (
        (power[0] * a + power[1] * b + part[0]) & 0xFFFFFFFF,
        (power[1] * a + power[2] * b + part[1]) & 0xFFFFFFFF,
    )


@cache
def _power(pairs: int) -> tuple[int, int, int]:
    """The map of so many pairs of zeros: what a adds to a, b to a (and a to b), b to b."""
    aa, ab, bb = 1, 0, 1
    for _ in range(pairs):
        aa, ab, bb = (n & 0xFFFFFFFF for n in (aa + ab, ab + bb, ab + 2 * bb))
    return aa, ab, bb


def _checksum(words: Words) -> Sum:
    pairs = len(words) // 2
    [part] = _sums(words.astype(np.uint32).reshape(1, -1), _factors(pairs))
    return _joined((0, 0), part, pairs)
