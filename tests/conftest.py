"""Fixtures for tests that need the whole platform: real, on free ports, gone afterwards."""

import gc
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
def pytest_unconfigure() -> None:
    """Let the interpreter take its modules down: Hypothesis leaves a callback in the collector.

    Through it live Hypothesis, the modules it read constants from, and DuckDB, which then writes
    pages about leaked instances to standard error although every store was closed.
    """
    gc.callbacks.clear()
