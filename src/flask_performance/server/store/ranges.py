"""Whole numbers that come mostly in order, kept as runs: a million batches cost two numbers."""

from bisect import bisect_right


class Ranges:
    """Which batch numbers of an instance are stored."""

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]

    def __len__(self) -> int:
        return len(self._first)

    def add(self, first: int, last: int) -> None:
        """Add a run; none of its numbers may be there already."""
        at = bisect_right(self._first, first)
        self._first.insert(at, first)
        self._last.insert(at, last)
        self._join(at)
        self._join(at - 1)

    def _join(self, at: int) -> None:
        """Melt the run at a place with the one after it, if no number lies between them."""
        if 0 <= at < len(self._first) - 1 and self._last[at] + 1 == self._first[at + 1]:
            del self._first[at + 1]
            del self._last[at]
