"""The REST API keeps what its OpenAPI document says, whatever it is asked."""

import random
from pathlib import Path

import pytest

from .api import api

pytestmark = pytest.mark.slow


def test_every_answer_is_as_documented_and_none_is_the_servers_fault(tmp_path: Path) -> None:
    assert api(random.Random(1), tmp_path, 1)["requests answered as documented"] > 500
