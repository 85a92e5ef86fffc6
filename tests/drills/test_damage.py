"""Damaged files: nothing acknowledged disappears without a word."""

import random
from pathlib import Path

import pytest

from .damage import damage

pytestmark = pytest.mark.slow


def test_files_that_were_damaged_while_the_server_was_down(tmp_path: Path) -> None:
    assert sum(damage(random.Random(3), tmp_path, 2).values()) == 2
