"""The contract on the engine of ClickHouse's current release, with the same SQL."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_performance.server.store.base import EventStore
from flask_performance.server.store.clickhouse import ClickHouseStore
from flask_performance.server.store.clickhouse.layout import Layout
from tests.support.chdb import ChdbEngine

from .contract import StoreContract
from .contract_apdex import ApdexContract
from .contract_bounds import BoundsContract
from .contract_details import DetailsContract
from .contract_kept import KeptContract
from .contract_processes import ProcessContract
from .contract_rollups import RollupsContract
from .contract_tables import TablesContract
from .model import World


@pytest.mark.slow
class TestChdb(
    StoreContract,
    ApdexContract,
    BoundsContract,
    DetailsContract,
    KeptContract,
    ProcessContract,
    RollupsContract,
    TablesContract,
):
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
