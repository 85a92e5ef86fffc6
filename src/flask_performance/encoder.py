"""From records to the bytes of a batch (docs/wire-format.md), on the sender's thread.

The work is cut into slices of well under a millisecond with the interpreter given away between
them, because a request that waits for the interpreter is a slow request.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, Final, Self

from .buffer import Rare, Record
from .texts import sendable
from .wire import VERSION, Instance, Ledger, Operation, Overhead, Requests

#: Longer paths are cut: what a scanner sends must not fill our memory, nor the platform's.
MOST_PATH: Final = 512
#: Methods beyond the registered ones are cut to this.
MOST_METHOD: Final = 16
MOST_CONSUMER: Final = 128
#: A queue time above an hour is a wrong header.
MOST_QUEUE_US: Final = 3_600_000_000

_COMPRESSION_LEVEL: Final = 1
_GZIP: Final = 31  # zlib's window bits for a gzip header

#: The columns of Requests whose absent values are null and which are left out when all are.
_NULLABLE: Final = (
    "path", "first_byte_us", "request_bytes", "response_bytes", "cpu_us", "queue_us", "exception",
    "trace_id", "consumer",
)  # fmt: skip
#: Statuses whose responses carry no body, whatever the app put into them.
WITHOUT_BODY: Final = frozenset({204, 304})
NOTHING_RARE: Final[Rare] = (None, None, None, None)
_RARE: Final = ("first_byte_us", "cpu_us", "exception", "consumer")
_REQUIRED: Final = ("start_us", "duration_us", "operation", "status")


def give_way() -> None:
    """Let waiting threads have the interpreter."""
    time.sleep(0)


class Rows:
    """Requests of the batch to come, as columns."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._places: dict[tuple[str, str | None, str | None], int] = {}
        self.columns: dict[str, list[Any]] = {
            name: [] for name in (*_REQUIRED, "outcome", *_NULLABLE)
        }

    @classmethod
    def of(cls, operations: list[Operation], columns: dict[str, list[Any]]) -> Self:
        """Rows that were encoded before."""
        rows = cls()
        rows.operations = operations
        nothing = [None] * len(columns["start_us"])
        rows.columns = {name: columns.get(name, nothing) for name in _ORDER}
        return rows

    def __len__(self) -> int:
        return len(self.columns["start_us"])

    def add(self, records: Sequence[Record], offset_ns: int) -> None:
        """Append records; `offset_ns` is the wall clock (UTC) less perf_counter.

        Column by column: a loop inside a list costs the interpreter a fraction of a call a record.
        All columns are made before one of them grows: a record that raises leaves nothing behind.
        """
        if not records:
            return
        (begins, ends, lines, outcomes, routes, endpoints, sents, methods, scripts, paths, lengths,
         queued, traces, rares) = zip(*records, strict=True)  # fmt: skip
        starts = [(begin + offset_ns) // 1000 for begin in begins]
        durations = [(end - begin) // 1000 for begin, end in zip(begins, ends, strict=True)]
        number_of = {line: status_number(line) for line in set(lines)}
        statuses = [number_of[line] for line in lines]
        new: dict[str, Sequence[Any]] = {
            "start_us": starts,
            "duration_us": durations,
            "operation": self._operations(methods, routes, endpoints),
            "status": statuses,
            "outcome": outcomes,
            "path": [
                None if path == route and not script else shown_path(script, path)
                for script, path, route in zip(scripts, paths, routes, strict=True)
            ],
            "request_bytes": sparse(lengths, whole),
            "response_bytes": [
                0 if method == "HEAD" or status in WITHOUT_BODY else sent
                for method, status, sent in zip(methods, statuses, sents, strict=True)
            ],
            "queue_us": sparse(queued, queue_us, starts),
            "trace_id": sparse(traces, trace_id),
            **rare_columns(rares, begins, durations),
        }
        for name, column in self.columns.items():
            column += new[name]

    def _operations(
        self,
        methods: Sequence[str],
        routes: Sequence[str | None],
        endpoints: Sequence[str | None],
    ) -> list[int]:
        """Places in `operations`, which grows by those that are new."""
        places = self._places
        keys = list(zip(methods, routes, endpoints, strict=True))
        for method, route, endpoint in set(keys).difference(places):
            operation: Operation = {
                "method": sendable(method[:MOST_METHOD]),
                "route": sendable(route or ""),
            }
            if endpoint is not None:
                operation["endpoint"] = sendable(endpoint)
            places[method, route, endpoint] = len(self.operations)
            self.operations.append(operation)
        return [places[key] for key in keys]

    def requests(self) -> Requests:
        """The columns, without those that say nothing."""
        columns = self.columns
        full: dict[str, list[Any]] = {name: columns[name] for name in _REQUIRED}
        if any(columns["outcome"]):  # none at all, or all completed
            full["outcome"] = columns["outcome"]
        for name in _NULLABLE:
            if columns[name].count(None) < len(columns[name]):
                full[name] = columns[name]
        return full  # type: ignore[return-value]


_ORDER: Final = (*_REQUIRED, "outcome", *_NULLABLE)


def encode(
    instance: Instance,
    number: int,
    ledger: Ledger,
    rows: Rows,
    *,
    overhead: Overhead | None = None,
    final: bool = False,
) -> bytes:
    """One batch as gzipped JSON."""
    members: list[tuple[str, Any]] = [
        ("version", VERSION),
        ("instance", instance),
        ("batch", number),
        ("sent_us", time.time_ns() // 1000),
        ("ledger", ledger),
        ("operations", rows.operations),
    ]
    if overhead:
        members.append(("overhead", overhead))
    if final:
        members.append(("final", True))
    compressor = zlib.compressobj(_COMPRESSION_LEVEL, wbits=_GZIP)
    head = ",".join(f"{json.dumps(name)}:{_dumps(value)}" for name, value in members)
    parts = [compressor.compress(f'{{{head},"requests":{{'.encode())]
    for separator, (name, column) in zip(_separators(), rows.requests().items(), strict=False):
        give_way()
        text = f"{separator}{json.dumps(name)}:{_dumps(column)}"
        parts.append(compressor.compress(text.encode()))
    parts.append(compressor.compress(b"}}"))
    parts.append(compressor.flush())
    return b"".join(parts)


def _separators() -> Iterable[str]:
    yield ""
    yield from repeat(",")


_dumps: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


def rare_columns(
    rares: Sequence[Rare | None], begins: Sequence[int], durations: Sequence[int]
) -> dict[str, list[Any]]:
    """The columns of what few requests have."""
    columns: dict[str, list[Any]] = {name: [None] * len(rares) for name in _RARE}
    if rares.count(None) == len(rares):
        return columns
    for i, rare in enumerate(rares):
        if rare is None:
            continue
        cpu_ns, exception, consumer, first_ns = rare
        if cpu_ns is not None:
            columns["cpu_us"][i] = cpu_us(cpu_ns, durations[i])
        if exception is not None:
            columns["exception"][i] = sendable(exception)
        if consumer is not None:
            columns["consumer"][i] = sendable(consumer)
        if first_ns is not None:
            columns["first_byte_us"][i] = (first_ns - begins[i]) // 1000
    return columns


def status_number(status: str | int | None) -> int:
    """The number of a WSGI status line; 500 for what no server would accept either."""
    try:
        number = int(status[:3]) if isinstance(status, str) else status or 500
    except ValueError:
        return 500
    return number if 100 <= number <= 599 else 500


def sparse(values: Sequence[Any], convert: Callable[..., Any], *others: Sequence[Any]) -> list[Any]:
    """`convert` over values most of which are None."""
    if values.count(None) == len(values):
        return [None] * len(values)
    return list(map(convert, values, *others))


def shown_path(script: str, path: str) -> str:
    """The path as the client asked for it, bounded."""
    return decoded_path(script, path)[:MOST_PATH]


def decoded_path(script: str, path: str) -> str:
    """SCRIPT_NAME and PATH_INFO as text: WSGI hands their bytes over as latin-1."""
    whole_path = script + path
    if whole_path.isascii():
        return whole_path
    return whole_path.encode("latin-1", "replace").decode("utf-8", "replace")


def whole(header: str | int | None) -> int | None:
    """A length in bytes, None where the header is absent or no length."""
    if header is None or isinstance(header, int):
        return header
    return int(header) if header.isdecimal() and header.isascii() and len(header) < 19 else None


def cpu_us(cpu_ns: int, duration_us: int) -> int | None:
    """None where the clock was not this request's: body closed by another thread."""
    if not 0 <= cpu_ns // 1000 <= duration_us + 1000:
        return None
    return cpu_ns // 1000


def queue_us(header: str | None, start_us: int) -> int | None:
    """How long the request waited in front of the app, from X-Request-Start or X-Queue-Start.

    Proxies write seconds, milliseconds, microseconds or nanoseconds since the epoch, with or
    without "t=" in front; the size tells which. A time in the future is ignored.
    """
    if header is None:
        return None
    try:
        since = float(header.strip().removeprefix("t="))
    except ValueError:
        return None
    if since <= 0 or since != since:
        return None
    for scale in (1e6, 1e3, 1.0, 1e-3):
        waited = start_us - int(since * scale) if since < 1e20 else -1
        if 0 <= waited <= MOST_QUEUE_US:
            return waited
    return None


def trace_id(traceparent: str | None) -> str | None:
    """The trace of a W3C `traceparent` header (00-<32 hex>-<16 hex>-<2 hex>)."""
    if traceparent is None or len(traceparent) < 55 or traceparent[2] != "-":
        return None
    trace = traceparent[3:35].lower()
    if traceparent[35] != "-" or trace.strip("0") == "":
        return None
    return trace if all(character in "0123456789abcdef" for character in trace) else None
