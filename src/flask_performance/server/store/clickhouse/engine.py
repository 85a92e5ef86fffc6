"""How ClickHouse is spoken to: by clickhouse-driver, over as many connections as threads ask."""

import logging
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol

from clickhouse_driver import Client, errors

from flask_performance.server.store.base import StoreUnavailableError

from .address import Address

#: It tells every host that does not answer with a trace; what matters becomes an error of ours.
logging.getLogger("clickhouse_driver.connection").setLevel(logging.ERROR)
#: Seconds until a host that does not answer counts as away, and until an answer must have come.
CONNECT: Final = 3
ANSWER: Final = 60
#: Connections that are kept for the next question.
IDLE: Final = 16
#: Faults of a server, a disk or a network, by ClickHouse's numbers: waiting may help.
WAITING_HELPS: Final = frozenset({
    3, 32, 33, 74, 75, 76, 95, 96, 100, 102, 159, 164, 173, 198, 201, 202, 203, 209, 210, 225, 236,
    241, 242, 243, 252, 254, 279, 285, 289, 290, 297, 305, 307, 319, 336, 394, 999, 1000,
})  # fmt: skip
#: Faults of a connection.
BROKEN: Final = (errors.NetworkError, errors.PartiallyConsumedQueryError, EOFError, OSError)
#: "Quorum for previous write has not been satisfied yet".
UNSATISFIED: Final = 286
#: How long a write waits for one before it, and how often it tries again (seconds).
PATIENCE: Final = 20.0
AGAIN: Final = 0.01
#: What a question or a column brings: names with types, and values by column.
Answer = tuple[list[tuple[str, str]], list[Sequence[Any]]]


class Engine(Protocol):
    """A ClickHouse that takes statements."""

    def ask(self, statement: str) -> Answer: ...
    def do(self, statement: str) -> None: ...
    def insert(self, table: str, columns: Mapping[str, list[Any]]) -> None: ...
    def close(self) -> None: ...


class BusyError(StoreUnavailableError):
    """Another write into a table is on its way to a quorum."""


class Server:
    """Any of a list of hosts, the first that answers. Raises StoreUnavailableError where none
    does."""

    def __init__(
        self,
        address: Address,
        settings: Mapping[str, Any] | None = None,
        quorums: Mapping[str, int] | None = None,
        quorum: int = 1,
    ) -> None:
        """How many servers must have what is written into a table: `quorums`, else `quorum`."""
        self._address = address
        self._quorums = quorums or {}
        self._quorum = quorum
        self._settings = dict(settings or {})
        self._idle: queue.LifoQueue[Client] = queue.LifoQueue(IDLE)
        self._closed = threading.Event()

    def ask(self, statement: str) -> Answer:
        with self._client() as client:
            columns, names = client.execute(statement, columnar=True, with_column_types=True)
            return names, columns or [()] * len(names)

    def do(self, statement: str) -> None:
        with self._client() as client:
            client.execute(statement)

    def insert(self, table: str, columns: Mapping[str, list[Any]]) -> None:
        """Writes that need a quorum come one after the other: 18.16 refuses the second."""
        quorum = self._quorums.get(table, self._quorum)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self._client() as client:
                    client.execute(
                        f"insert into {table} ({', '.join(columns)}) values",
                        list(columns.values()),
                        columnar=True,
                        settings={"insert_quorum": quorum} if quorum > 1 else None,
                    )
            except BusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN)
            else:
                return

    def close(self) -> None:
        self._closed.set()
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().disconnect()

    @contextmanager
    def _client(self) -> Iterator[Client]:
        if self._closed.is_set():
            raise StoreUnavailableError("the event store is being closed")
        try:
            client = self._idle.get_nowait()
        except queue.Empty:
            client = self._connect()
        try:
            yield client
        except errors.ServerException as error:
            client.disconnect()
            if error.code == UNSATISFIED:
                raise BusyError(sentence(error)) from error
            if error.code in WAITING_HELPS:
                raise StoreUnavailableError(sentence(error)) from error
            error.message = sentence(error)
            raise
        except BROKEN as error:
            client.disconnect()
            raise StoreUnavailableError(
                f"ClickHouse at {self._address} does not answer ({sentence(error)})"
            ) from error
        except BaseException:
            client.disconnect()
            raise
        try:
            self._idle.put_nowait(client)
        except queue.Full:
            client.disconnect()

    def _connect(self) -> Client:
        address = self._address
        host, port = address.hosts[0]
        others = ",".join(f"{name}:{number}" for name, number in address.hosts[1:])
        return Client(
            host, port, alt_hosts=others or None, database=address.database, user=address.user,
            password=address.password, secure=address.tls, connect_timeout=CONNECT,
            send_receive_timeout=ANSWER, sync_request_timeout=CONNECT, settings=self._settings,
            client_name="flask-performance", compression=False,
        )  # fmt: skip


def sentence(error: BaseException) -> str:
    """Without the server's stack trace."""
    said = str(getattr(error, "message", None) or error) or type(error).__name__
    return said.partition("Stack trace")[0].strip().replace("\n", " ").removesuffix(",")
