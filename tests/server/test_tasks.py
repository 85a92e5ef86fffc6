"""Celery's door: whatever fails, a message that was acknowledged is the broker's again."""

from typing import Any

import pytest
from celery.exceptions import Reject

from flask_performance.server import tasks
from flask_performance.server.queue.celery import TASK
from flask_performance.server.settings import Settings
from tests.server.batches import START_US, batch, zipped
from tests.support.waiting import free_port

PACKED = [(1, START_US, True, zipped(batch()), 0)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The task of a worker whose three servers do not answer."""
    port = free_port()
    settings = Settings(
        data=tmp_path_factory.mktemp("data"),
        database_url=f"postgresql+psycopg://ada:secret@127.0.0.1:{port}/accounts",
        queue_url=f"amqp://127.0.0.1:{port}//",
        store_url=f"clickhouse://127.0.0.1:{port}/events",
    )
    return tasks.make_app(settings).tasks[TASK]


@pytest.mark.parametrize(
    "packed",
    [PACKED, [(*PACKED[0], "of a newer version", 1, 2, 3, 4)]],
    ids=["no server answers", "it cannot be read"],
)
def test_a_message_that_fails_is_given_back(
    store: Any,
    packed: object,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Celery acknowledges what fails otherwise: a process of a worker that begins while the event
    store is away would throw away all that it is given."""
    monkeypatch.setattr(tasks, "REST", 0.0)
    with pytest.raises(Reject) as given:
        store(packed)
    assert given.value.args[1] is True, "into the queue again"
    assert "A message waits at the broker" in caplog.text
