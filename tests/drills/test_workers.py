"""Acknowledged means stored, exactly once, whichever process of the scaled set dies."""

import random
from pathlib import Path

import pytest

from .workers import workers

pytestmark = pytest.mark.slow


def test_killed_workers_and_a_killed_broker_lose_and_repeat_nothing(tmp_path: Path) -> None:
    assert workers(random.Random(7), tmp_path, 4)["acknowledged requests, all stored once"] > 100
