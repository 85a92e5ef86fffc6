from collections.abc import Iterator
from contextlib import closing

import pytest

from flask_performance.server.app import create_web
from flask_performance.server.settings import Settings
from flask_performance.server.store.duckdb import DuckDBStore

from .world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The web app as `serve` makes it, without a network."""
    settings = Settings(data=tmp_path_factory.mktemp("data"))
    with closing(DuckDBStore(settings.events)) as store:
        yield World(create_web(settings, store))
