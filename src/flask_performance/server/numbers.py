"""Columns of whole numbers, from JSON into arrays without an object for each of them.

A batch has thousands, and to make an object of each takes longer than all else that is done to it.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

#: Stands for "not known" among numbers that are never negative.
UNKNOWN: Final = -1
NULL: Final = b"null"
#: What an array of such numbers consists of between its brackets; then with UNKNOWN among them.
KNOWN: Final = b"0123456789,"
ANY: Final = KNOWN + b"-"


def read_numbers(array: bytes, *, nulls: bool) -> Numbers | None:
    """A JSON array of numbers that are not negative; those that fit no int64 are its greatest.

    `array` is one value whose grammar somebody has checked. None: it is something else, or written
    in a way that a slower reader has to look at. Its nulls become UNKNOWN, if there may be any.
    """
    if not array.startswith(b"["):
        return None
    inner = array[1:-1]
    if inner.translate(None, KNOWN):
        if b"-" in inner:
            return None
        inner = inner.replace(b" ", b"")
        if nulls:
            inner = inner.replace(NULL, b"%d" % UNKNOWN)
        if inner.translate(None, ANY):
            return None
    return np.fromstring(inner, dtype=np.int64, sep=",")


def from_list(values: list[Any]) -> Numbers:
    """From numbers and None."""
    return np.array([UNKNOWN if value is None else value for value in values], dtype=np.int64)
