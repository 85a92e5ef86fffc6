"""What bodies may take in memory from their first byte to their answer, all together.

Belongs to one event loop.
"""

from types import TracebackType
from typing import Final, Self

#: As much as may wait for the disk afterwards (bytes).
MOST: Final = 64 * 1024**2


class Room:
    """All there is."""

    def __init__(self, most: int | None = None) -> None:
        self.left = MOST if most is None else most

    def part(self) -> "Part":
        return Part(self)


class Part:
    """What one body takes of it, until it is answered."""

    __slots__ = ("_room", "_size")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def grow(self, size: int) -> bool:
        """Whether there is room for so many bytes more; then they are taken."""
        if size > self._room.left:
            return False
        self._room.left -= size
        self._size += size
        return True

    def give_back(self) -> None:
        """All of it; the second time there is nothing left to give."""
        self._room.left += self._size
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_back()
