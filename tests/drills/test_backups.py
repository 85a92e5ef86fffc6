"""A backup that was made under load is whole, and nobody waited for it."""

import random
from pathlib import Path

import pytest

from .backups import backup

pytestmark = pytest.mark.slow


def test_what_was_acknowledged_before_a_backup_is_in_it_once(tmp_path: Path) -> None:
    assert backup(random.Random(5), tmp_path, 1)["acknowledged before, all there once"] > 100
