"""The wire format, version 1: what a client process says to the collector, one batch at a time.

`docs/wire-format.md` is its reference for people; this module is the one both sides import, and it
needs nothing but the standard library. A batch is one JSON object, columnar: one array a field, all
of the same length, so that a thousand requests cost a thousand numbers and not a thousand objects.

An older server skips members and columns it does not know; only a change that it must not skip
raises `VERSION`. Later sections (spans, exceptions, stack samples) are members beside `requests`
that point at a request by its index in the arrays.
"""

from typing import Final, Literal, NotRequired, TypedDict, get_args

VERSION: Final = 1

Outcome = Literal["completed", "disconnected", "failed"]
#: The wire carries an outcome as its place in this tuple.
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

#: Why a client did not deliver a request it saw. A closed list: the ledger counts by these words.
DropReason = Literal[
    "buffer_full",  # more requests waited than the memory (and spool) bound allows
    "ignored",  # an ignore rule of the app's own configuration matched
    "vetoed",  # the app's own hook refused the record
    "rejected",  # the collector refused the batch for good (400, 401, 413, 415)
    "unsent",  # the process ended and the last flush ran out of time
    "error",  # the extension itself failed on this record
]
DROP_REASONS: Final[tuple[DropReason, ...]] = get_args(DropReason)

#: A collector refuses what is larger, before and after decompression (bytes).
MAX_BODY: Final = 8 * 1024 * 1024
MAX_DECODED: Final = 32 * 1024 * 1024
#: The most requests one batch may carry.
MAX_REQUESTS: Final = 10_000
#: The most rules that a process may declare.
MAX_RULES: Final = 10_000


class Instance(TypedDict):
    """One process of a monitored app; the same in all of its batches."""

    id: str  # 32 hex digits, new for every process, forks included
    host: NotRequired[str]
    pid: NotRequired[int]
    environment: NotRequired[str]  # "production", "staging", …
    release: NotRequired[str]
    client: NotRequired[str]  # "flask-performance/1.0.0"
    python: NotRequired[str]
    flask: NotRequired[str]
    started_us: NotRequired[int]


class Ledger(TypedDict):
    """What the process counted since it started, as of the moment this batch was cut.

    `seen - sent - sum(dropped)` requests still wait in the process.
    """

    seen: int
    sent: int  # this batch's requests included
    dropped: dict[DropReason, int]


class Operation(TypedDict):
    """method + route. `route` is the rule that matched, empty when none did."""

    method: str
    route: str
    endpoint: NotRequired[str | None]


class Requests(TypedDict):
    """The columns. All arrays have the length of `start_us`; an optional column may be left out."""

    start_us: list[int]  # UTC, microseconds since the epoch
    duration_us: list[int]  # to the end of the body
    operation: list[int]  # place in `operations`
    status: list[int]  # 100 to 599
    outcome: NotRequired[list[int]]  # place in OUTCOMES; left out: all completed
    path: NotRequired[list[str | None]]  # without query string; null when it equals the route
    first_byte_us: NotRequired[list[int | None]]  # from start to the first byte of the body
    request_bytes: NotRequired[list[int | None]]
    response_bytes: NotRequired[list[int | None]]
    cpu_us: NotRequired[list[int | None]]
    queue_us: NotRequired[list[int | None]]  # waited in front of the app (X-Request-Start)
    exception: NotRequired[list[str | None]]  # qualified name of the type
    trace_id: NotRequired[list[str | None]]  # 32 hex digits of `traceparent`
    consumer: NotRequired[list[str | None]]  # who called, if the app says so


class Overhead(TypedDict):
    """What the client itself costs the process."""

    request_ns: NotRequired[int]  # median added to a request, measured in the process
    sender_cpu_us: NotRequired[int]  # processor time of the sender since the process started


class Process(TypedDict):
    """What the process uses and how busy it is, as of the moment this batch was cut.

    Totals only grow while the instance lives, so that what came between two batches is their
    difference. A client leaves out what it cannot know.
    """

    memory_bytes: NotRequired[int]  # resident
    cpu_us: NotRequired[int]  # processor time of the whole process since it started
    busy_us: NotRequired[int]  # durations of all requests that ended, ignored ones included
    concurrent: NotRequired[int]  # most requests under way at once since the batch before
    threads: NotRequired[int]
    beat_us: NotRequired[int]  # without requests, too, a batch comes this often; 0: none does


class Rule(TypedDict):
    """A route that the app declares, called or not."""

    rule: str
    methods: list[str]  # without the HEAD and OPTIONS that Flask adds; empty: every method
    endpoint: NotRequired[str]


class Routes(TypedDict):
    """All that an app of the process declares; it replaces what the instance said before."""

    app: NotRequired[str]  # its name, where several report to one project
    rules: list[Rule]


class Batch(TypedDict):
    """One POST. Batches of an instance are numbered from 1, so that a repeat is recognised."""

    version: Literal[1]
    instance: Instance
    batch: int
    sent_us: int  # the client's clock when it cut the batch
    ledger: Ledger
    operations: list[Operation]
    requests: Requests
    overhead: NotRequired[Overhead]
    process: NotRequired[Process]
    routes: NotRequired[Routes]  # in the first batch of an instance, and when they changed
    final: NotRequired[bool]  # the process says goodbye: nothing waits any more
