"""From records to the bytes of a batch (docs/wire-format.md), on the sender's thread."""

import json
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self

from .buffer import Rare, Record
from .texts import sendable, whole
from .wire import VERSION, Instance, Ledger, Operation, Requests

#: Longer paths are cut: what a scanner sends must not fill our memory, nor the platform's.
MOST_PATH: Final = 512
#: Methods beyond the registered ones are cut to this.
MOST_METHOD: Final = 16
#: A queue time above an hour is a wrong header.
MOST_QUEUE_US: Final = 3_600_000_000

_COMPRESSION_LEVEL: Final = 1
_GZIP: Final = 31  # zlib's window bits for a gzip header

#: Statuses whose responses carry no body, whatever the app put into them.
WITHOUT_BODY: Final = frozenset({204, 304})
NOTHING_RARE: Final[Rare] = (None, None, None, 0, None, None, None, None)
#: The columns of Requests that every request fills.
_DENSE: Final = ("start_us", "duration_us", "operation", "status", "path", "response_bytes")
#: Those that the format asks of every batch, also of one without a request, as a goodbye can be.
_ALWAYS: Final = frozenset({"start_us", "duration_us", "operation", "status"})
#: Those that few requests fill, with what stands for nothing; left out when none does.
_SPARSE: Final = {
    "outcome": 0, "first_byte_us": None, "request_bytes": None, "cpu_us": None, "queue_us": None,
    "exception": None, "trace_id": None, "consumer": None,
}  # fmt: skip


class Rows:
    """Requests of the batch to come, as columns."""

    def __init__(self) -> None:
        self._operations = _Operations()
        self._numbers = _Numbers()
        self._columns: dict[str, list[Any]] = {name: [] for name in _DENSE}
        #: Of the other columns: the values that there are, by row.
        self._sparse: dict[str, dict[int, Any]] = {name: {} for name in _SPARSE}

    @classmethod
    def of(cls, operations: list[Operation], columns: dict[str, list[Any]]) -> Self:
        """Rows that were encoded before."""
        rows = cls()
        rows._operations.members = operations
        rows._columns = columns
        return rows

    def __len__(self) -> int:
        return len(self._columns["start_us"])

    @property
    def operations(self) -> list[Operation]:
        return self._operations.members

    def add(self, records: Sequence[Record], offset_ns: int) -> None:
        """Append records; `offset_ns` is the wall clock (UTC) less perf_counter.

        Column by column: a loop inside a list costs the interpreter a fraction of a call a record.
        All columns are made before one of them grows: a record that raises leaves nothing behind.
        """
        if not records:
            return
        begins, ends, lines, rules, sents, methods, paths, rares = zip(*records, strict=True)
        starts = [(begin + offset_ns) // 1000 for begin in begins]
        durations = [(end - begin) // 1000 for begin, end in zip(begins, ends, strict=True)]
        operations = self._operations.places(methods, rules)
        statuses = list(map(self._numbers.__getitem__, lines))
        dense: dict[str, Sequence[Any]] = {
            "start_us": starts,
            "duration_us": durations,
            "operation": operations,
            "status": statuses,
            "path": self._paths(paths, operations),
            "response_bytes": sizes(sents, methods, statuses),
        }
        sparse = sparse_columns(rares, begins, starts, durations, len(self))
        for name, values in dense.items():
            self._columns[name] += values
        for name, found in sparse.items():
            self._sparse[name].update(found)

    def _paths(self, paths: Sequence[str], operations: Sequence[int]) -> list[str | None]:
        """None for a path that is its route."""
        if not "".join(paths).isascii() or max(map(len, paths)) > MOST_PATH:
            paths = list(map(shown_path, paths))
        routes = [operation["route"] for operation in self.operations]
        return [
            None if path == routes[operation] else path
            for path, operation in zip(paths, operations, strict=True)
        ]

    def requests(self) -> Requests:
        """The columns, without those that say nothing."""
        full = {
            name: column
            for name, column in self._columns.items()
            if name in _ALWAYS or column.count(None) < len(column)
        }
        for name, found in self._sparse.items():
            if found:
                full[name] = [_SPARSE[name]] * len(self)
                for row, value in found.items():
                    full[name][row] = value
        return full  # type: ignore[return-value]


class _Numbers(dict[str | int | None, int]):
    """The number of each status line, found out once."""

    def __missing__(self, line: str | int | None) -> int:
        number = self[line] = status_number(line)
        return number


class _Operations:
    """The operations of a batch. They are found by the rule that matched, which has no hash."""

    def __init__(self) -> None:
        self.members: list[Operation] = []
        self._by_rule: dict[tuple[str, int], int] = {}
        self._by_name: dict[tuple[str, str | None, str | None], int] = {}
        self._rules: list[Any] = []  # as long as it lives, no other has its id

    def places(self, methods: Sequence[str], rules: Sequence[Any]) -> list[int]:
        """Places in `members`, which grows by those that are new."""
        keys = list(zip(methods, map(id, rules), strict=True))
        try:
            return list(map(self._by_rule.__getitem__, keys))
        except KeyError:
            for key, rule in zip(keys, rules, strict=True):
                if key not in self._by_rule:
                    self._rules.append(rule)
                    self._by_rule[key] = self._place(key[0], rule)
            return list(map(self._by_rule.__getitem__, keys))

    def _place(self, method: str, rule: Any) -> int:
        name = (method, None, None) if rule is None else (method, rule.rule, rule.endpoint)
        if name not in self._by_name:
            self.members.append(_operation(*name))
            self._by_name[name] = len(self.members) - 1
        return self._by_name[name]


def _operation(method: str, route: str | None, endpoint: str | None) -> Operation:
    operation: Operation = {
        "method": sendable(method[:MOST_METHOD]),
        "route": sendable(route or ""),
    }
    if endpoint is not None:
        operation["endpoint"] = sendable(endpoint)
    return operation


def nothing() -> None:
    pass


NOTHING_MORE: Final[Mapping[str, object]] = {}


def encode(
    instance: Instance,
    number: int,
    ledger: Ledger,
    rows: Rows,
    *,
    more: Mapping[str, object] = NOTHING_MORE,
    final: bool = False,
    between: Callable[[], None] = nothing,
) -> bytes:
    """One batch as gzipped JSON. `between` is called now and then, to let others do something.

    :param more: optional members of the batch by name; those that say nothing are left out.
    """
    members: dict[str, Any] = {
        "version": VERSION,
        "instance": instance,
        "batch": number,
        "sent_us": time.time_ns() // 1000,
        "ledger": ledger,
        "operations": rows.operations,
    }
    members |= {name: value for name, value in more.items() if value}
    if final:
        members["final"] = True
    columns = _object(rows.requests(), between)
    text = f'{_object(members)[:-1]},"requests":{columns}}}'
    return zlib.compress(text.encode(), _COMPRESSION_LEVEL, _GZIP)


def _object(members: Mapping[str, Any], between: Callable[[], None] = nothing) -> str:
    """A JSON object, made member by member."""
    texts = []
    for name, value in members.items():
        texts.append(f'"{name}":{_dumps(value)}')
        between()
    return f"{{{','.join(texts)}}}"


_dumps: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode


def sizes(
    sents: Sequence[int | None], methods: Sequence[str], statuses: Sequence[int]
) -> Sequence[int | None]:
    """Bytes of the bodies: what the app handed over, where HTTP has a place for it."""
    if "HEAD" not in methods and WITHOUT_BODY.isdisjoint(statuses):
        return sents
    return [
        0 if method == "HEAD" or status in WITHOUT_BODY else sent
        for sent, method, status in zip(sents, methods, statuses, strict=True)
    ]


def sparse_columns(
    rares: Sequence[Rare | None],
    begins: Sequence[int],
    starts: Sequence[int],
    durations: Sequence[int],
    first: int,
) -> dict[str, dict[int, Any]]:
    """What few requests have, by row; the first of these is row `first`."""
    places = [place for place, rare in enumerate(rares) if rare is not None]
    if not places:
        return {}
    lengths, queued, traces, outcomes, cpus, exceptions, consumers, firsts = zip(
        *filter(None, rares), strict=True
    )

    def of(column: Sequence[int]) -> Iterable[int]:
        return map(column.__getitem__, places)

    columns: dict[str, Iterable[Any]] = {
        "outcome": (outcome or None for outcome in outcomes),
        "first_byte_us": map(first_byte_us, firsts, of(begins)),
        "request_bytes": map(whole, lengths),
        "cpu_us": map(cpu_us, cpus, of(durations)),
        "queue_us": map(queue_us, queued, of(starts)),
        "exception": map(text, exceptions),
        "trace_id": map(trace_id, traces),
        "consumer": map(text, consumers),
    }
    return {
        name: {
            first + place: value
            for place, value in zip(places, column, strict=True)
            if value is not None
        }
        for name, column in columns.items()
    }


def status_number(status: str | int | None) -> int:
    """The number of a WSGI status line; 500 for what no server would accept either."""
    try:
        number = int(status[:3]) if isinstance(status, str) else status or 500
    except ValueError:
        return 500
    return number if 100 <= number <= 599 else 500


def shown_path(path: str) -> str:
    """The path as the client asked for it, bounded."""
    return decoded_path(path)[:MOST_PATH]


def decoded_path(path: str) -> str:
    """SCRIPT_NAME and PATH_INFO as text: WSGI hands their bytes over as latin-1."""
    if path.isascii():
        return path
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def text(value: str | None) -> str | None:
    return None if value is None else sendable(value)


def first_byte_us(first_ns: int | None, begin_ns: int) -> int | None:
    return None if first_ns is None else (first_ns - begin_ns) // 1000


def cpu_us(cpu_ns: int | None, duration_us: int) -> int | None:
    """None where the clock was not this request's: body closed by another thread."""
    if cpu_ns is None or not 0 <= cpu_ns // 1000 <= duration_us + 1000:
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
