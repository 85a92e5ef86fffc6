"""For tests, ours and yours: see what was recorded without a platform."""

import json
import zlib
from dataclasses import dataclass
from typing import Any

from .transport import Answer, Transport
from .wire import OUTCOMES, Batch, Outcome


@dataclass(frozen=True)
class RecordedRequest:
    """One request as the platform would have received it."""

    start_us: int
    duration_us: int
    method: str
    route: str
    endpoint: str | None
    path: str
    status: int
    outcome: Outcome
    first_byte_us: int | None = None
    request_bytes: int | None = None
    response_bytes: int | None = None
    cpu_us: int | None = None
    queue_us: int | None = None
    exception: str | None = None
    trace_id: str | None = None
    consumer: str | None = None


class MemoryTransport(Transport):
    """Keeps batches in memory.

    ::

        transport = MemoryTransport()
        collector = PerformanceCollector(app, transport=transport)
        app.test_client().get("/users/7")
        collector.flush(app)
        assert transport.requests[0].route == "/users/<int:id>"
    """

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def send(self, body: bytes) -> Answer:
        batch: Batch = json.loads(zlib.decompress(body, wbits=31))
        self.batches.append(batch)
        return Answer(202)

    @property
    def requests(self) -> list[RecordedRequest]:
        """All requests received, in the order in which they ended."""
        return [request for batch in self.batches for request in rows(batch)]


def rows(batch: Batch) -> list[RecordedRequest]:
    """A batch's columns as one object a request."""
    columns: dict[str, list[Any]] = dict(batch["requests"])  # type: ignore[arg-type]
    found = []
    for i in range(len(columns["start_us"])):
        values = {name: column[i] for name, column in columns.items()}
        operation = batch["operations"][values.pop("operation")]
        values["outcome"] = OUTCOMES[values.get("outcome", 0)]
        values["path"] = values.get("path") or operation["route"]
        found.append(
            RecordedRequest(
                method=operation["method"],
                route=operation["route"],
                endpoint=operation.get("endpoint"),
                **values,
            )
        )
    return found
