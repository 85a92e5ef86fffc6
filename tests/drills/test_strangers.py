"""Clients that nobody wants change nothing for the others."""

import random
from pathlib import Path

import pytest

from .strangers import bombs, liars, names, slow_loris

pytestmark = pytest.mark.slow


def test_thousands_of_connections_that_drip(tmp_path: Path) -> None:
    outcomes = slow_loris(random.Random(1), tmp_path, 1)
    assert outcomes["connections that dripped"] > 100


def test_bodies_that_are_bombs(tmp_path: Path) -> None:
    assert len(bombs(random.Random(1), tmp_path, 1)) > 10


def test_numbers_that_lie(tmp_path: Path) -> None:
    assert liars(random.Random(1), tmp_path, 1)["of these repeats, stored once"] > 0


def test_names_without_end(tmp_path: Path) -> None:
    assert names(random.Random(1), tmp_path, 2)["requests, each of an operation of its own"]
