"""The contract on the engine of ClickHouse's current release, with the same SQL."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_performance.server.store.base import EventStore
from flask_performance.server.store.clickhouse import ClickHouseStore
from flask_performance.server.store.clickhouse.layout import Layout
from tests.support.chdb import ChdbEngine

from .every_contract import EveryContract
from .model import World


@pytest.mark.slow
class TestChdb(EveryContract):
    """The contract of every home. (Upkeep has fewer stages here.)"""

    @pytest.fixture(scope="class", params=("half rolled",))
    @classmethod
    def world_and_store(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[tuple[World, EventStore]]:
        with cls.asked(request.param, tmp_path_factory.mktemp("store")) as asked:
            yield asked

    @classmethod
    def open(cls, folder: Path) -> EventStore:
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        engine = ChdbEngine(f"t_{name}")
        layout = Layout(engine, [engine])
        layout.create()
        return ClickHouseStore(layout)
