"""What workers count: together, also when their database was away for a while."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from flask_performance.server.accounts import tallies
from flask_performance.server.accounts.database import open_engine
from flask_performance.server.accounts.models import Tally
from flask_performance.server.accounts.tallies import Tallies, read_tallies
from flask_performance.server.settings import Settings


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Nothing is saved by itself."""
    monkeypatch.setattr(tallies, "PACE", 60.0)
    engine = open_engine(Settings(data=tmp_path))
    Tally.__table__.create(engine, checkfirst=True)  # type: ignore[attr-defined]
    yield engine
    engine.dispose()


def totals(engine: Engine) -> dict[tuple[str, str], int]:
    return {name: told.total for name, told in read_tallies(engine).items()}


def test_workers_count_together(engine: Engine) -> None:
    workers = [Tallies(engine), Tallies(engine)]
    for number, worker in enumerate(workers, 1):
        worker.add("messages", "stored")
        worker.add("stored_requests", more=100 * number)
        worker.reach("received_us", 10 * number)
        worker.save()
    workers[0].add("messages", "stored")
    workers[0].reach("received_us", 15)
    for worker in workers:
        worker.close()
    assert totals(engine) == {
        ("messages", "stored"): 3,
        ("stored_requests", ""): 300,
        ("received_us", ""): 20,
    }


def test_what_could_not_be_saved_is_saved_later(engine: Engine) -> None:
    worker = Tallies(engine)
    Tally.__table__.drop(engine)  # type: ignore[attr-defined]
    worker.add("messages", "stored")
    with pytest.raises(SQLAlchemyError):
        worker.save()
    worker.add("messages", "stored")
    Tally.__table__.create(engine, checkfirst=True)  # type: ignore[attr-defined]
    worker.save()
    worker.save()
    worker.close()
    assert totals(engine) == {("messages", "stored"): 2}
