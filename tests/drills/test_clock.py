"""The clock jumps, and a file is held by somebody else: all is stored once."""

import random
from pathlib import Path

import pytest

from .clock import LIBRARY, clock
from .locks import locked

pytestmark = pytest.mark.slow


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
def test_a_clock_that_jumps(tmp_path: Path) -> None:
    assert clock(random.Random(2), tmp_path, 2)["repeats, stored once"] > 2


def test_a_file_that_another_program_holds(tmp_path: Path) -> None:
    outcomes = locked(random.Random(2), tmp_path, 1)
    assert sum(count for words, count in outcomes.items() if words.endswith("was held")) == 1
