"""The contract on the engine of ClickHouse's current release, with the same SQL."""

import hashlib
from pathlib import Path

import pytest

from flask_performance.server.store.base import EventStore
from flask_performance.server.store.clickhouse import ClickHouseStore
from flask_performance.server.store.clickhouse.layout import Layout
from tests.support.chdb import ChdbEngine

from .contract import at_stages
from .every_contract import EveryContract


@pytest.mark.slow
class TestChdb(EveryContract):
    """The contract of every home. (Upkeep has fewer stages here.)"""

    world_and_store = at_stages("half rolled")

    @classmethod
    def open(cls, folder: Path) -> EventStore:
        name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        engine = ChdbEngine(f"t_{name}")
        layout = Layout(engine, [engine])
        layout.create()
        return ClickHouseStore(layout)
