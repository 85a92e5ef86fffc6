"""Fixtures for tests that need the whole platform: real, on free ports, gone afterwards."""

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.platform import Platform, Project, running_platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A fresh `flask-performance serve` on its own data folder."""
    with running_platform(tmp_path / "data") as platform:
        yield platform


@pytest.fixture
def project(platform: Platform) -> Project:
    """A project on a fresh platform, with its DSN and its owner's REST API."""
    return platform.project()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first: when several processes share them, what is left for the end is
    short, and none works on while the others have nothing to do. By name, not by folder: not all
    of Chromium at once, nor all of the drills."""
    slow = Counter(item.path for item in items if _takes_long(item))
    whole = Counter(item.path for item in items)
    items.sort(key=lambda item: (-slow[item.path] / whole[item.path], item.path.name, item.path))


def _takes_long(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("slow", "browser"))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Let the interpreter take its modules down: Hypothesis leaves a callback in the collector.

    Through it live Hypothesis, the modules it read constants from, and DuckDB, which then writes
    pages about leaked instances to standard error although every store was closed.
    """
    gc.callbacks.clear()
