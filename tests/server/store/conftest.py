"""What several homes of the event store are tested with."""

from collections.abc import Iterator

import pytest

from tests.support.clickhouse import ClickHouseServer, clickhouse_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One ClickHouse server; whoever tests on it takes a database of its own."""
    with clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server
