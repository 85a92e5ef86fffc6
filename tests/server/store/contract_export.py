"""A project's requests as a file, of every home of the store."""

import csv
from pathlib import Path

import duckdb
import pytest

from flask_performance.server.store import duckdb_export
from flask_performance.server.store.base import EventStore, Filter
from flask_performance.wire import OUTCOMES

from .builders import NOON_US, block
from .model import HOUR_US, World


class ExportContract:
    """Mixed into a home's contract."""

    def test_an_export_has_every_request_of_the_window_once(
        self, store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(5)
        for project_id in (1, 2):
            store.append(world.batch(300, project_id=project_id), world.next_position())
        window = NOON_US - HOUR_US, NOON_US - 7
        file = tmp_path / "requests.parquet"
        monkeypatch.setattr(duckdb_export, "PAGE", 97)
        percents = list(store.export(1, *window, file))
        assert percents == sorted(percents)
        with duckdb.connect() as reader:
            found = reader.execute(
                "select epoch_us(start), duration_ms, method, route, path, status, outcome, "
                f"environment from '{file}'"
            ).fetchall()
        filter = Filter(project_id=1, start_us=window[0], end_us=window[1])
        expected = [
            (row.start_us, row.duration_us / 1000, row.method, row.route, row.path, row.status,
             OUTCOMES[row.outcome], row.environment)
            for row in world.matching(filter)
        ]  # fmt: skip
        assert expected
        assert sorted(found, key=repr) == sorted(expected, key=repr)
        assert list(tmp_path.glob("requests.*")) == [file]

    def test_an_export_keeps_what_is_unknown_unknown(
        self, store: EventStore, tmp_path: Path
    ) -> None:
        known = {"cpu_us": 1500, "path": "=1+1", "consumer": None, "start_us": NOON_US + 1}
        store.append(block([known, {"exception": "KeyError"}]), 1)
        file = tmp_path / "requests.csv"
        list(store.export(1, 0, 2 * NOON_US, file))
        with file.open(newline="") as text:
            rows = sorted(csv.DictReader(text), key=lambda row: row["start"], reverse=True)
        assert [row["path"] for row in rows] == ["'=1+1", "/"]
        assert [row["cpu_ms"] for row in rows] == ["1.5", ""]
        assert [row["exception"] for row in rows] == ["", "KeyError"]
        list(store.export(2, 0, 2 * NOON_US, empty := tmp_path / "nothing.csv"))
        assert len(empty.read_text().splitlines()) == 1
