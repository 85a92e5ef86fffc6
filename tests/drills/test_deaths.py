"""Acknowledged means durable: whatever got its 202 is there after the platform dies, once."""

import random
import time
from pathlib import Path

import pytest

from tests.support.platform import Platform

from .deaths import kill, term

pytestmark = pytest.mark.slow


def test_kill_under_load_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    assert kill(random.Random(5), tmp_path, 6)["acknowledged requests, all stored once"] > 100


def test_sigterm_under_load_drains_and_ends_well(tmp_path: Path) -> None:
    assert term(random.Random(5), tmp_path, 1)["acknowledged requests, all stored once"] > 100


def test_sigterm_ends_an_idle_platform_at_once(platform: Platform) -> None:
    started = time.monotonic()
    assert platform.stop() == 0
    assert time.monotonic() - started < 5
