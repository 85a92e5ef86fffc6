"""The contract on RabbitMQ and Redis, and what only a broker can get wrong."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from flask_performance.server.queue import celery as module
from flask_performance.server.queue.base import Envelope, QueueFullError, QueueUnavailableError
from flask_performance.server.queue.celery import CeleryQueue, celery_app, unpacked
from tests.support.brokers import Broker, RabbitMQ, Redis, running
from tests.support.waiting import free_port, wait_for

from .contract import Home, QueueContract, envelope, put

pytestmark = pytest.mark.slow


class BrokerHome(Home):
    queue: CeleryQueue

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self._app = celery_app(broker.url)
        with self._app.connection_for_read() as connection, connection.channel() as channel:
            for queue in self._app.conf.task_queues:
                queue(channel).declare()
                queue(channel).purge()
        self.queue = CeleryQueue(broker.url)

    def messages(self) -> list[list[Envelope]]:
        found = []
        with self._app.connection_for_read() as connection, connection.channel() as channel:
            [queue, *_] = self._app.conf.task_queues
            while (message := queue(channel).get(accept=[module.SERIALIZER])) is not None:
                (packed,), _, _ = message.payload
                found.append(unpacked(packed))
                message.ack()
        return found

    def waiting(self) -> list[Envelope]:
        return [one for envelopes in self.messages() for one in envelopes]

    def crash(self) -> None:
        self.broker.kill()
        self.broker.start()

    def away(self) -> None:
        self.broker.kill()

    def back(self) -> None:
        self.broker.start()


@pytest.fixture(scope="module", params=[RabbitMQ, Redis], ids=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with running(request.param) as broker:
        yield broker


@pytest.fixture
def home(broker: Broker) -> Iterator[BrokerHome]:
    home = BrokerHome(broker)
    yield home
    home.queue.close()


class TestBrokers(QueueContract):
    def test_what_comes_together_shares_messages_of_a_megabyte(self, home: BrokerHome) -> None:
        put(home.queue, *(envelope(number, 1_000) for number in range(5_000)))
        messages = home.messages()
        assert sum(map(len, messages)) == 5_000
        assert len(messages) <= 8

    def test_memory_is_bounded(self, home: BrokerHome, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_UNCONFIRMED", 10_000)
        answers = put(home.queue, *(envelope(number, 4_000) for number in range(20)))
        assert None in answers
        assert any(isinstance(answer, QueueFullError) for answer in answers)

    def test_how_many_messages_wait_is_known(self, home: BrokerHome) -> None:
        put(home.queue, envelope(1))
        wait_for(lambda: home.queue.depth().batches == 1, 10, "the depth of the queue")
        assert home.queue.failing() is None

    def test_while_workers_are_behind_messages_become_larger(self, home: BrokerHome) -> None:
        home.queue._waiting = 1_000  # what the last look said

        async def one_by_one() -> None:
            await asyncio.gather(*(later(number) for number in range(20)))

        async def later(number: int) -> None:
            await asyncio.sleep(number / 500)
            await home.queue.put(envelope(number))

        home.queue._looked = time.monotonic() + 60
        asyncio.run(one_by_one())
        assert len(home.messages()) <= 2


def test_a_broker_that_was_never_there_is_said_at_once() -> None:
    queue = CeleryQueue(f"amqp://guest:hunter2@127.0.0.1:{free_port()}//")
    try:
        began = time.monotonic()
        for _ in range(3):
            [error] = put(queue, envelope(1))
            assert isinstance(error, QueueUnavailableError)
            assert "hunter2" not in str(error)
        assert time.monotonic() - began < 5
        failing = queue.failing()
        assert failing is not None
        assert failing.what == "the broker does not answer"
    finally:
        queue.close()
