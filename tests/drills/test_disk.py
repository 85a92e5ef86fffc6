"""A full disk refuses; it damages nothing, and is over when there is room again."""

import random
from pathlib import Path

import pytest

from tests.support import disks

from .disk import full_disk

pytestmark = pytest.mark.slow


def test_on_the_most_real_disk_that_this_machine_can_fill(tmp_path: Path) -> None:
    outcomes = full_disk(random.Random(1), tmp_path, 1)
    assert outcomes["acknowledged requests, all stored once"] > 100
    assert outcomes["batches refused with 503"] > 0


def test_where_nothing_can_be_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "_mount", lambda *_: None)
    outcomes = full_disk(random.Random(4), tmp_path, 1)
    assert outcomes["acknowledged requests, all stored once"] > 100
    assert any("nothing can be mounted" in words for words in outcomes)
