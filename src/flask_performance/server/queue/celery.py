"""The queue's home past one machine: Celery on RabbitMQ or Redis.

What arrives while a message is under way to the broker goes into the next one together, as in the
journal's group commit, so that Celery's cost is paid once for about a megabyte. A message is
acknowledged to its clients when the broker has confirmed it. It carries an id, the same on every
redelivery, and always the same envelopes: from that the store knows what it has already.

RabbitMQ has messages of a durable queue on disk before it confirms; on a cluster the queue should
be a quorum queue, which is on several nodes (`?queue=quorum` behind the URL). Redis confirms what
its `appendfsync` makes of that (docs/scale.md).
"""

import asyncio
import contextlib
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast
from urllib.parse import parse_qs

import msgspec
from celery import Celery
from kombu import Connection, Exchange
from kombu import Queue as BrokerQueue
from kombu.exceptions import KombuError
from kombu.serialization import register

from ..counts import SHORT, Depth, Failing, Histogram, Trouble
from ..settings import SettingsError
from .answers import Waiter, answer
from .base import Envelope, Kept, Queue, QueueFullError, QueueUnavailableError

log = logging.getLogger(__name__)

#: The task that stores a message, and the queue it waits in.
TASK: Final = "flask_performance.store"
QUEUE: Final = "flask_performance"
#: Envelopes as msgpack: JSON would carry their bytes as base64.
SERIALIZER: Final = "flask-performance"
#: A message ends here (bytes of bodies); one envelope may be larger.
MESSAGE: Final = 1024**2
#: What may wait for the broker at one moment (bytes of bodies).
MAX_UNCONFIRMED: Final = 64 * 1024**2
#: How long the broker may take to confirm, and to be reached (seconds).
CONFIRM: Final = 10.0
REACH: Final = 3
#: A broker that was away just now is not asked again for so long: apps hear 503 at once (seconds).
REST: Final = 0.5
#: How many messages wait is asked this often (seconds).
LOOK: Final = 1.0
#: For each message that waits for the workers the next one waits that long for company (seconds):
#: when workers are behind, messages become larger and cheaper. At most …
COMPANY: Final = (0.002, 0.1)
#: A message of a worker that died comes again after this long where the broker is Redis (seconds);
#: a task gives up well before. RabbitMQ notices at once.
VISIBLE: Final = 120

#: What RabbitMQ answers to who declares a queue that is there, and is of another kind.
OTHER_KIND: Final = 406
CHANGE_KIND: Final = (
    "the queues are not of the kind that FLASK_PERFORMANCE_QUEUE_URL asks for by `?queue=`, and "
    "RabbitMQ changes none: ask for the other kind, or let the workers empty them, stop "
    "everything, and `rabbitmqctl delete_queue` flask_performance and flask_performance_timed"
)

Packed = list[tuple[int, int, bool, bytes, int]]

register(
    SERIALIZER,
    cast(Any, msgspec.msgpack.encode),
    cast(Any, msgspec.msgpack.decode),
    content_type="application/x-flask-performance",
    content_encoding="binary",
)


def celery_app(url: str) -> Celery:
    """What publishers, workers and beat agree on."""
    redis = url.startswith("redis")
    broker = url if redis else url.partition("?")[0]
    app = Celery("flask_performance", broker=broker, set_as_current=False)
    app.conf.update(
        task_queues=[broker_queue(QUEUE, url)],
        task_default_queue=QUEUE,
        task_default_exchange=QUEUE,
        task_default_routing_key=QUEUE,
        task_serializer=SERIALIZER,
        accept_content=[SERIALIZER],
        task_ignore_result=True,
        # A message is the broker's until all of it is stored.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker is there when the broker comes back
        broker_transport_options=_redis_options() if redis else {"confirm_publish": True},
    )
    return app


def broker_queue(name: str, url: str) -> BrokerQueue:
    """A durable queue. All of an installation are of the kind that the URL asks for: a classic one
    is on a single node of a cluster, and workers could not listen while that is away."""
    _, _, asked = url.partition("?")
    quorum = url.startswith("amqp") and parse_qs(asked).get("queue") == ["quorum"]
    arguments = {"x-queue-type": "quorum"} if quorum else None
    exchange = Exchange(name, "direct", durable=True)
    return BrokerQueue(name, exchange, name, durable=True, queue_arguments=arguments)


def _redis_options() -> dict[str, Any]:
    return {
        "visibility_timeout": VISIBLE,
        "socket_timeout": CONFIRM,
        "socket_connect_timeout": REACH,
        "socket_keepalive": True,
    }


def unpacked(packed: Sequence[Sequence[Any]]) -> list[Envelope]:
    """The envelopes of a message."""
    return [Envelope(*one) for one in packed]


class CeleryQueue(Queue):
    """Publishes from a thread of its own until it is closed."""

    def __init__(self, url: str) -> None:
        self._app = celery_app(url)
        self._condition = threading.Condition()
        self._pending: deque[tuple[Envelope, Waiter]] = deque()
        self._unconfirmed = 0
        self._closing = False
        self._connection: Connection | None = None
        self._producer: Any = None
        self._away_until = 0.0
        self._waiting = 0
        #: When nothing waited at the broker, as far as this process knows: the oldest came later.
        self._empty_us = time.time_ns() // 1000
        self._looked = 0.0
        self.commit_seconds = Histogram(SHORT)
        self.trouble = Trouble()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._thread.start()

    # -- the collector's side --------------------------------------------------------------------

    def put_soon(self, envelope: Envelope, kept: Kept) -> None:
        waiter = (asyncio.get_running_loop(), kept)
        with self._condition:
            if self._closing:
                raise QueueUnavailableError("the server is stopping")
            if time.monotonic() < self._away_until:
                raise QueueUnavailableError("the broker does not answer")
            if self._unconfirmed + len(envelope.body) > MAX_UNCONFIRMED:
                raise QueueFullError
            self._pending.append((envelope, waiter))
            self._unconfirmed += len(envelope.body)
            self._condition.notify()

    def publish(self, id: str, envelopes: Sequence[Envelope]) -> None:
        """One message, now, from any thread; with the same id it is stored once, however often it
        is published. Raises QueueUnavailableError."""
        with self._app.connection_for_write(connect_timeout=REACH) as connection:
            try:
                self._send(self._app.amqp.Producer(connection), id, envelopes)
            except _failures(connection) as error:
                raise QueueUnavailableError(f"the broker does not answer: {error}") from error

    def depth(self) -> Depth:
        """Messages that wait at the broker; bytes of those that are on the way there. No broker
        says how old a message is; the oldest came after the moment that is given here."""
        with self._condition:
            oldest = self._pending[0][0].received_us if self._pending else None
            oldest = self._empty_us if self._waiting else oldest
            return Depth(self._waiting, self._unconfirmed, MAX_UNCONFIRMED, oldest)

    def failing(self) -> Failing | None:
        """What apps that post now would meet."""
        return self.trouble.now

    def close(self) -> None:
        with self._condition:
            self._closing = True
            self._condition.notify()
        self._thread.join(2 * CONFIRM)

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._condition:
                if not (self._pending or self._closing):
                    self._condition.wait(LOOK)
            if self._pending:
                self._wait_for_company()
                self._publish_next()
            elif self._closing:
                self._disconnect()
                return
            if time.monotonic() >= self._looked + LOOK:
                self._look()

    def _wait_for_company(self) -> None:
        most = min(COMPANY[1], COMPANY[0] * self._waiting)
        deadline = time.monotonic() + most
        while not self._closing and self._unconfirmed < MESSAGE:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.01))

    def _publish_next(self) -> None:
        envelopes, waiters, size = self._take()
        began = time.perf_counter()
        error = self._sent(envelopes)
        self.commit_seconds.note(time.perf_counter() - began)
        with self._condition:
            self._unconfirmed -= size
            if error is not None:
                self._away_until = time.monotonic() + REST
        if error is None:
            self.trouble.ends()
        else:
            self.trouble.begins("the broker does not answer")
        answer(waiters, error)

    def _take(self) -> tuple[list[Envelope], list[Waiter], int]:
        envelopes: list[Envelope] = []
        waiters: list[Waiter] = []
        size = 0
        with self._condition:
            while self._pending and (size < MESSAGE or not envelopes):
                envelope, waiter = self._pending.popleft()
                envelopes.append(envelope)
                waiters.append(waiter)
                size += len(envelope.body)
        return envelopes, waiters, size

    def _sent(self, envelopes: list[Envelope]) -> QueueUnavailableError | None:
        """One message, tried once more on a new connection: with the same id it is the same."""
        id = uuid.uuid4().hex
        for again in (True, False):
            try:
                self._send(self._connected(), id, envelopes)
            except Exception as error:  # this thread must outlive whatever the client raises
                self._disconnect()
                if again and not isinstance(error, TimeoutError):
                    continue
                if self.trouble.now is None:
                    log.warning("The broker takes nothing: %(error)s", {"error": repr(error)})
                return QueueUnavailableError("the broker does not answer")
            return None
        raise AssertionError

    def _send(self, producer: Any, id: str, envelopes: Sequence[Envelope]) -> None:
        packed: Packed = [(e.project_id, e.received_us, e.gzip, e.body, e.counted)
                          for e in envelopes]  # fmt: skip
        self._app.send_task(
            TASK, (packed,), task_id=id, producer=producer, retry=False, argsrepr="envelopes",
            confirm_timeout=CONFIRM,
        )  # fmt: skip

    def _connected(self) -> Any:
        if self._connection is None:
            connection = self._app.connection_for_write(connect_timeout=REACH)
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=REACH)
            self._connection, self._producer = connection, self._app.amqp.Producer(connection)
        return self._producer

    def _disconnect(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):  # it may be broken already
                connection.release()

    def _look(self) -> None:
        """How many messages wait for a worker; that the broker still answers comes with it."""
        self._looked = time.monotonic()
        try:
            channel = self._connected().channel
            found = channel.queue_declare(QUEUE, passive=True)
            self._waiting = found.message_count
            if not self._waiting:
                self._empty_us = time.time_ns() // 1000
            self.trouble.ends()
        except Exception as error:
            self._disconnect()
            if not _is_missing(error):
                self.trouble.begins("the broker does not answer")


class Broker(NamedTuple):
    """What is found behind a URL."""

    product: str
    version: str
    workers: int
    #: Messages that wait for one.
    waiting: int
    #: What does not fit what is promised, and what to do about it.
    doubts: tuple[str, ...] = ()


def broker(url: str, patience: float) -> Broker:
    """Raises whatever the client library does where nothing answers."""
    app = celery_app(url)
    with app.connection_for_read(connect_timeout=REACH) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=REACH)
        workers = len(app.control.ping(timeout=patience, connection=connection) or ())
        channel: Any = connection.default_channel
        doubts: tuple[str, ...] = ()
        try:
            waiting = channel.queue_declare(QUEUE, passive=True).message_count
        except connection.channel_errors:
            waiting = 0  # the first message or worker makes it
        else:
            doubts = _kind(app, connection)
        if not url.startswith("redis"):
            said = connection.connection.server_properties
            return Broker(said["product"], said["version"], workers, waiting, doubts)
        client = channel.client
        version = client.info("server")["redis_version"]
        return Broker("Redis", version, workers, waiting, _doubts(client))


def _kind(app: Celery, connection: Any) -> tuple[str, ...]:
    """Whether the queue that is there is what the URL asks for: declaring it changes nothing."""
    try:
        with connection.channel() as channel:
            app.conf.task_queues[0](channel).declare()
    except connection.channel_errors as error:
        if getattr(error, "reply_code", None) != OTHER_KIND:
            raise
        return (CHANGE_KIND,)
    return ()


def _doubts(client: Any) -> tuple[str, ...]:
    """Whether Redis keeps what it confirms; a hosted one may not say."""
    try:
        synced = client.config_get("append*")
    except Exception:
        return ("it does not say whether it keeps what it confirms: see docs/scale.md",)
    if synced.get("appendonly") != "yes":
        return ("appendonly is off: a restart of Redis loses what was acknowledged; turn it on",)
    if synced.get("appendfsync") != "always":
        return ("appendfsync is not `always`: a power cut loses up to a second",)
    return ()


def declare(url: str) -> None:
    """Make the queue, as the first message would. Raises as `broker`, and SettingsError."""
    app = celery_app(url)
    with app.connection_for_write(connect_timeout=REACH) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=REACH)
        doubts = _kind(app, connection)
    if doubts:
        raise SettingsError(doubts[0])


def _is_missing(error: Exception) -> bool:
    """The queue is made by the first message or the first worker."""
    return getattr(error, "reply_code", None) == 404 or type(error).__name__ == "ChannelError"


def _failures(connection: Connection) -> tuple[type[Exception], ...]:
    return (*connection.connection_errors, *connection.channel_errors, KombuError, OSError)
