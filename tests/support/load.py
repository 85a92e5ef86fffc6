"""Clients that load the collector and remember what it acknowledged; every path is unique."""

import gzip
import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

REQUESTS_PER_BATCH = 25


class Client(ABC):
    """A thread that posts until it is told to stop."""

    #: Seconds between an answer and the next post.
    pause = 0.0

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self.host, self.port, self.target = parts.hostname or "", parts.port, parts.path
        self.name = uuid.uuid4().hex
        #: Paths that the collector said 202 to.
        self.acknowledged: list[str] = []
        #: Paths that were sent and got no answer, which may or may not be stored.
        self.unanswered: set[str] = set()
        #: What ended this client before its time.
        self.failure: str | None = None
        #: Answers that were neither 202 nor none, by status.
        self.refused: Counter[int] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @abstractmethod
    def _step(self, connection: HTTPConnection, number: int) -> None:
        """Post once. Raises OSError or HTTPException when there was no answer."""

    def _run(self) -> None:
        try:
            self._work()
        except AssertionError as error:
            self.failure = str(error)

    def _work(self) -> None:
        number = 0
        connection = HTTPConnection(self.host, self.port, timeout=5)
        while not self._stopping.is_set():
            number += 1
            try:
                self._step(connection, number)
            except (OSError, HTTPException):
                connection.close()
                time.sleep(0.01)  # a dead platform is asked a hundred times a second, not more
            time.sleep(self.pause)
        connection.close()

    def _post(
        self, connection: HTTPConnection, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        connection.request("POST", self.target, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 202:
            self.refused[answer.status] += 1
            assert answer.status == 503, (answer.status, said)
            assert answer.headers["retry-after"], said
            time.sleep(0.01)  # a busy platform, too
        return answer.status, said

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join(30)


class OldClient(Client):
    """One JSON object a request, as in 2019; what was not acknowledged is not sent again."""

    def _step(self, connection: HTTPConnection, number: int) -> None:
        path, body = self.one(number)
        self.unanswered.add(path)
        status, _ = self._post(connection, body, {"Content-Type": "application/json"})
        self.unanswered.discard(path)  # after a 503 nothing was kept
        if status == 202:
            self.acknowledged.append(path)

    def one(self, number: int) -> tuple[str, bytes]:
        """The path and the body of a request."""
        path = f"/{self.name}/{number}"
        document = {
            "time_used": 0.0123,
            "created_at": str(datetime.now(UTC).replace(tzinfo=None)),
            "path": path,
            "status_code": 200,
            "method": "GET",
            "endpoint": "users",
        }
        return path, json.dumps(document).encode()


class BatchClient(Client):
    """Numbered batches; one without an answer is sent again, byte for byte, in its turn."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self._batch = 0
        self._seen = 0
        self._pending: tuple[list[str], bytes] | None = None

    def _step(self, connection: HTTPConnection, number: int) -> None:
        paths, body = self._pending = self._pending or self.next_batch()
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        self.unanswered = set(paths)
        status, _ = self._post(connection, body, headers)
        if status != 202:
            return
        self.acknowledged += paths
        self.unanswered = set()
        self._pending = None

    def next_batch(self) -> tuple[list[str], bytes]:
        """The paths and the body, zipped, of the batch after the last one."""
        self._batch += 1
        self._seen += REQUESTS_PER_BATCH
        paths = [f"/{self.name}/{self._batch}/{place}" for place in range(REQUESTS_PER_BATCH)]
        return paths, gzip.compress(json.dumps(self._document(paths)).encode(), compresslevel=1)

    def _document(self, paths: list[str]) -> dict[str, Any]:
        now_us = time.time_ns() // 1000
        return {
            "version": 1,
            "instance": {"id": self.name, "host": "test", "pid": 1},
            "batch": self._batch,
            "sent_us": now_us,
            "ledger": {"seen": self._seen, "sent": self._seen, "dropped": {}},
            "operations": [{"method": "GET", "route": "/load/<path:path>", "endpoint": "load"}],
            "requests": {
                "start_us": [now_us] * len(paths),
                "duration_us": [12_300] * len(paths),
                "operation": [0] * len(paths),
                "status": [200] * len(paths),
                "path": paths,
            },
        }
