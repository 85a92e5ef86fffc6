"""Two shards with two replicas each: the drill in short, and what only a cluster can get wrong."""

import contextlib
from collections.abc import Iterator

import pytest

from flask_performance.server.settings import SettingsError
from flask_performance.server.store.clickhouse import ClickHouseStore
from tests.cluster import drill
from tests.support.clickhouse_cluster import ClickHouseCluster, clickhouse_cluster
from tests.support.waiting import wait_for

from .contract import DAY
from .model import World, assert_stats

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseCluster]:
    with clickhouse_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def test_a_cluster_answers_like_a_server(cluster: ClickHouseCluster) -> None:
    world = World(4)
    with contextlib.closing(ClickHouseStore.open(cluster.url("world"))) as store:
        for turn in range(7):
            store.append(world.batch(100))
            if turn in (2, 5):
                store.roll()
        for _ in range(8):
            filter = world.filter()
            rows = world.matching(filter)
            assert_stats(store.summary(filter), rows)
            assert {(one.method, one.route) for one in store.operations(filter)} == {
                (row.method, row.route) for row in rows
            }
            found = store.requests(filter, 1000).rows
            assert sorted(row.path for row in found) == sorted(row.path for row in rows)
        assert store.ledger(DAY).stored == len(world.matching(DAY))
        assert store.instances(DAY, 10)
        assert store.measures(DAY)["duration_us"].requests == len(world.matching(DAY))
        assert store.rows()["raw"] == 700
        store.delete_project(2)
        assert store.project_ids() == {1}
        assert store.rows()["raw"] == len([row for row in world.rows if row.project_id == 1])


def test_a_server_that_is_away_keeps_nobody_from_starting(cluster: ClickHouseCluster) -> None:
    """Only `migrate` needs them all; who comes back gets its tables, and what it missed."""
    away = cluster.shards[0][1]
    away.kill()
    url = cluster.url("late")
    with contextlib.closing(ClickHouseStore.open(url)) as store:
        store.append(World(4).batch(50))
        assert store.rows()["raw"] == 50
    with pytest.raises(SettingsError, match=f"ClickHouse at .*{away.port}.* does not answer"):
        ClickHouseStore.open(url, everywhere=True)
    away.start()
    ClickHouseStore.open(url, everywhere=True).close()
    asked = "select count() from late.request_local"
    twin = cluster.shards[0][0].ask(asked)
    wait_for(lambda: away.ask(asked) == twin, 60, "the replica that came back")


def test_replicas_and_a_shard_die_under_load(cluster: ClickHouseCluster) -> None:
    said = drill(cluster, 0)
    assert said["stored"] > 0
    assert said["refused"] > 0


def test_a_cluster_that_nobody_knows_is_a_sentence(cluster: ClickHouseCluster) -> None:
    url = cluster.url("world").replace("cluster=drill", "cluster=other")
    with pytest.raises(SettingsError, match="knows no cluster 'other'"):
        ClickHouseStore.open(url)
