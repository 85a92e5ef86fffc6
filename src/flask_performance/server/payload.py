"""From a posted body to a typed batch, or to a sentence that names what is wrong with it.

The collector uses it to refuse, ingest to read; neither trusts what it has not decoded here.
Formats: `docs/wire-format.md`, version 1 and the single request of the 2019 client.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
from isal import isal_zlib
from msgspec import Meta, Struct

from flask_performance.wire import MAX_DECODED, MAX_REQUESTS, MAX_RULES, OUTCOMES, VERSION

from .numbers import Numbers, from_list, read_numbers

#: The end of the year 9999, in microseconds: what a `datetime` can still show.
MAX_TIME_US: Final = 253_402_300_799_999_999

#: The greatest count, which every JSON reader still reads exactly (RFC 8259, section 6). What the
#: most reasons may add up to fits the 63 bits of a column.
MAX_COUNT: Final = 2**53
#: More reasons of dropping than any client has.
MAX_REASONS: Final = 100
#: A year, with a day to spare: no request and no stream takes longer (microseconds).
MAX_DURATION_US: Final = 366 * 24 * 3600 * 1_000_000
#: A Content-Length is a stranger's word that clients pass on; one of 18 digits must not cost the
#: requests beside it (bytes).
MAX_SIZE: Final = 10**18
#: Longer bodies are weighed before they are decoded (bytes of JSON).
SMALL: Final = 256 * 1024
#: What all reasons of dropping may take there (bytes of JSON).
MAX_REASONS_JSON: Final = 64 * 1024
#: What all declared routes may take (bytes of JSON).
MAX_ROUTES_JSON: Final = 4 * 1024 * 1024
#: A request of the 2019 client is hardly longer (bytes of JSON).
SINGLE: Final = 1024
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- UTC's, to count from without its cost
MICROSECOND: Final = timedelta(microseconds=1)
#: More methods than HTTP has.
MAX_METHODS: Final = 100

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Duration = Annotated[int, Meta(ge=0, le=MAX_DURATION_US)]
Size = Annotated[int, Meta(ge=0, le=MAX_SIZE)]
Time = Annotated[int, Meta(ge=0, le=MAX_TIME_US)]
Status = Annotated[int, Meta(ge=100, le=599)]
Texts = list[str | None] | None


class PayloadError(Exception):
    """The body is not what it should be; the message says where and what is expected."""


class PayloadTooLargeError(PayloadError):
    """The body, or what it unpacks to, is larger than the limits of the wire format."""


class Instance(Struct, frozen=True):
    id: Annotated[str, Meta(min_length=1, max_length=64)]
    host: str | None = None
    pid: Count | None = None
    environment: str | None = None
    release: str | None = None
    client: str | None = None
    python: str | None = None
    flask: str | None = None
    started_us: Time | None = None


class Ledger(Struct, frozen=True):
    seen: Count
    sent: Count
    dropped: Annotated[dict[str, Count], Meta(max_length=MAX_REASONS)] = {}

    @property
    def waiting(self) -> int:
        """How many requests still waited in the client; its words may be off, never negative."""
        return max(0, self.seen - self.sent - sum(self.dropped.values()))


class Operation(Struct, frozen=True):
    method: str
    route: str
    endpoint: str | None = None


class Requests(Struct, frozen=True):
    """The columns of a batch, of equal length. Of numbers -1 is one that is not known."""

    start_us: Numbers
    duration_us: Numbers
    operation: Numbers
    status: Numbers
    outcome: Numbers | None = None
    path: Texts = None
    first_byte_us: Numbers | None = None
    request_bytes: Numbers | None = None
    response_bytes: Numbers | None = None
    cpu_us: Numbers | None = None
    queue_us: Numbers | None = None
    exception: Texts = None
    trace_id: Texts = None
    consumer: Texts = None

    def __len__(self) -> int:
        return len(self.start_us)


class Overhead(Struct, frozen=True, omit_defaults=True):
    request_ns: Count | None = None
    sender_cpu_us: Count | None = None


class Process(Struct, frozen=True, omit_defaults=True):
    memory_bytes: Size | None = None
    cpu_us: Count | None = None
    busy_us: Count | None = None
    concurrent: Count | None = None
    threads: Count | None = None
    beat_us: Count | None = None


class Rule(Struct, frozen=True, omit_defaults=True):
    rule: str
    methods: Annotated[list[str], Meta(max_length=MAX_METHODS)]
    endpoint: str | None = None


class Routes(Struct, frozen=True, omit_defaults=True):
    rules: Annotated[list[Rule], Meta(max_length=MAX_RULES)]
    app: str | None = None


class Head(Struct, frozen=True):
    """What a batch says beside its requests."""

    version: Literal[1]
    instance: Instance
    batch: Annotated[int, Meta(ge=1, le=MAX_COUNT)]
    sent_us: Time
    ledger: Ledger
    operations: Annotated[list[Operation], Meta(max_length=MAX_REQUESTS)]
    overhead: Overhead | None = None
    process: Process | None = None
    routes: Routes | None = None
    final: bool = False


class Batch(Head, frozen=True, kw_only=True):
    """What a client of version 1 posts. Members it has beyond these are skipped."""

    requests: Requests


class Single(Struct, frozen=True):
    """What the client of 2019 (flask-performance 0.0.6) posts: one request, seconds, naive UTC."""

    time_used: Annotated[float, Meta(ge=0, le=MAX_DURATION_US / 1_000_000)]
    created_at: str
    path: str
    status_code: Status
    method: str
    endpoint: str | None = None
    #: Whatever has one is no request of that client.
    version: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    @property
    def start_us(self) -> int:
        """UTC microseconds of `created_at`, which that client takes after the response."""
        moment = datetime.fromisoformat(self.created_at)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return (moment - EPOCH) // MICROSECOND - self.duration_us

    @property
    def duration_us(self) -> int:
        return round(self.time_used * 1_000_000)


class Members(Struct, frozen=True):
    """The members that tell the forms apart, undecoded; everything else is skipped unread."""

    version: msgspec.Raw = msgspec.Raw()
    time_used: msgspec.Raw = msgspec.Raw()


class Outline(Struct, frozen=True):
    """What a batch that cannot be read to its end says all the same: who, which, how many."""

    class Instance(Struct, frozen=True):
        id: Annotated[str, Meta(min_length=1, max_length=64)]

    class Ledger(Struct, frozen=True):
        sent: Count

    class Requests(Struct, frozen=True):
        start_us: Annotated[list[Any], Meta(max_length=MAX_REQUESTS)]

    version: Literal[1]
    instance: Instance
    batch: Annotated[int, Meta(ge=1, le=MAX_COUNT)]
    ledger: Ledger
    requests: Requests

    def __len__(self) -> int:
        return len(self.requests.start_us)


class Kind(NamedTuple):
    """What a column may hold."""

    decoder: msgspec.json.Decoder[Any]
    most: int | None = None  # None: it is a column of texts
    least: int = 0
    nulls: bool = False


def _numbers(most: int, least: int = 0, *, nulls: bool = False) -> Kind:
    number = Annotated[int, Meta(ge=least, le=most)]
    values: Any = list[number | None] if nulls else list[number]
    return Kind(msgspec.json.Decoder(values), most, least, nulls)


_DURATIONS: Final = _numbers(MAX_DURATION_US, nulls=True)
_SIZES: Final = _numbers(MAX_SIZE, nulls=True)
_TEXTS: Final = Kind(msgspec.json.Decoder(list[str | None]))
#: The columns of a batch; the first four are in every one.
KINDS: Final[dict[str, Kind]] = {
    "start_us": _numbers(MAX_TIME_US),
    "duration_us": _numbers(MAX_DURATION_US),
    "operation": _numbers(MAX_REQUESTS),
    "status": _numbers(599, 100),
    "outcome": _numbers(len(OUTCOMES) - 1),
    "path": _TEXTS,
    "first_byte_us": _DURATIONS,
    "request_bytes": _SIZES,
    "response_bytes": _SIZES,
    "cpu_us": _DURATIONS,
    "queue_us": _DURATIONS,
    "exception": _TEXTS,
    "trace_id": _TEXTS,
    "consumer": _TEXTS,
}
#: The columns as they stand in a body, undecoded.
RawColumns: Any = msgspec.defstruct(
    "RawColumns",
    [
        (name, msgspec.Raw) if place < 4 else (name, msgspec.Raw, msgspec.Raw())
        for place, name in enumerate(KINDS)
    ],
    frozen=True,
)


class Body(Head, frozen=True, kw_only=True):
    """A batch whose columns are still to be decoded."""

    requests: RawColumns


class Long(Struct, frozen=True):
    """The other members of a batch that may be long, undecoded."""

    class Ledger(Struct, frozen=True):
        dropped: msgspec.Raw = msgspec.Raw()

    ledger: Ledger = Ledger()
    routes: msgspec.Raw = msgspec.Raw()


_body = msgspec.json.Decoder(Body)
_single = msgspec.json.Decoder(Single)
_members = msgspec.json.Decoder(Members)
_long = msgspec.json.Decoder(Long)
_outline = msgspec.json.Decoder(Outline)
#: Columns that a batch may do without, and how it does.
OPTIONAL: Final = frozenset(list(KINDS)[4:])
ABSENT: Final = (b"", b"null")
#: What unpacking raises; its stub calls the class an object of it.
NO_GZIP: Final[Any] = isal_zlib.error
#: What a decoder raises for a body that is no good.
INVALID: Final = (msgspec.DecodeError, RecursionError, UnicodeError)


def unpack(body: bytes, most: int = MAX_DECODED) -> bytes:
    """The content of a gzip body. Raises PayloadError, and PayloadTooLargeError if it is longer."""
    unzip = isal_zlib.decompressobj(wbits=31)
    try:
        text = unzip.decompress(body, most + 1)
    except NO_GZIP as error:
        raise PayloadError(f"The body is not valid gzip ({error}).") from error
    if len(text) > most:
        raise PayloadTooLargeError(f"The body unpacks to more than {most:,} bytes.")
    if not unzip.eof:
        raise PayloadError("The body is not valid gzip (it ends too early).")
    if unzip.unused_data:
        raise PayloadError("The body is not one piece of gzip (something follows its end).")
    return text


def decode(text: bytes) -> Batch | Single:
    """Raises PayloadError with the field's name and what was expected there."""
    try:
        if len(text) <= SINGLE and (single := _as_single(text)) is not None:
            return single
        if len(text) > SMALL:
            _weigh(_long.decode(text))
        body = _body.decode(text)
    except INVALID as error:
        return _decode_other(text, error)
    columns: dict[str, Any] = {
        name: _column(name, kind, bytes(getattr(body.requests, name)))
        for name, kind in KINDS.items()
    }
    requests = Requests(**columns)
    _check_columns(requests, len(body.operations))
    members = {name: getattr(body, name) for name in Head.__struct_fields__}
    return Batch(**members, requests=requests)


def outline(text: bytes) -> Outline | None:
    """The outline of a batch that `decode` refuses, or None where there is not even that."""
    try:
        return _outline.decode(text)
    except INVALID:
        return None


def _weigh(long: Long) -> None:
    """Refuse what would become far too many objects, before it does.

    Decoding keeps the interpreter to itself, and 32 MiB of the shortest values would do so for
    seconds and take half a gigabyte.
    """
    if len(bytes(long.ledger.dropped)) > MAX_REASONS_JSON:
        raise PayloadError(
            f"`ledger.dropped` takes more than {MAX_REASONS_JSON:,} bytes; it may name at most "
            f"{MAX_REASONS} reasons."
        )
    if len(bytes(long.routes)) > MAX_ROUTES_JSON:
        raise PayloadError(
            f"`routes` takes more than {MAX_ROUTES_JSON:,} bytes; declare at most {MAX_RULES:,}."
        )


def _column(name: str, kind: Kind, column: bytes) -> Numbers | list[str | None] | None:
    """A column of a body, or None where it has none. Raises PayloadError."""
    if name in OPTIONAL and column in ABSENT:
        return None
    if _least_count(kind, column) > MAX_REQUESTS:
        raise PayloadError(
            f"`requests.{name}` has more than {MAX_REQUESTS:,} values; send smaller batches."
        )
    if kind.most is not None:
        numbers = read_numbers(column, nulls=kind.nulls)
        if numbers is not None and _within(numbers, kind.least, kind.most):
            return numbers
    try:
        values = kind.decoder.decode(column)
    except INVALID as error:
        raise PayloadError(_sentence(error, f"requests.{name}")) from error
    return values if kind.most is None else from_list(values)


def _least_count(kind: Kind, column: bytes) -> int:
    """So many values at least, counted without making them: texts may hold commas and quotes."""
    if kind.most is None:
        return (column.count(b'"') - column.count(b'\\"')) // 2
    return column.count(b",") + 1


def _within(numbers: Numbers, least: int, most: int) -> bool:
    """None of them is negative already."""
    if not len(numbers):
        return True
    if least and np.minimum.reduce(numbers) < least:
        return False
    return bool(np.maximum.reduce(numbers) <= most)


def _decode_other(text: bytes, error: Exception) -> Single:
    """A body that is no batch of version 1: the 2019 form, or the right words to refuse it."""
    try:
        members = _members.decode(text)
    except INVALID as syntax:
        raise PayloadError(f"The body is not a JSON object: {_sentence(syntax)}") from syntax
    version = bytes(members.version)
    if version == b"%d" % VERSION:
        raise PayloadError(_sentence(error)) from error
    if version:
        raise PayloadError(
            f"`version` is {version[:40].decode(errors='replace')}, this server speaks {VERSION}: "
            "update the server, or use a client of its age."
        ) from error
    if not bytes(members.time_used):
        raise PayloadError(
            "`version` is missing: the body is neither a batch (docs/wire-format.md) "
            "nor a request of the 2019 client, which has `time_used`."
        ) from error
    return _decode_single(text)


def _as_single(text: bytes) -> Single | None:
    """None where it is something else, or where it takes more words to say what it is."""
    try:
        single = _single.decode(text)
    except INVALID:
        return None
    return _in_time(single) if single.version is msgspec.UNSET else None


def _decode_single(text: bytes) -> Single:
    try:
        single = _single.decode(text)
    except INVALID as error:
        raise PayloadError(_sentence(error)) from error
    return _in_time(single)


def _in_time(single: Single) -> Single:
    """Raises PayloadError where it says no time that can be stored."""
    try:
        start_us = single.start_us
    except (ValueError, OverflowError) as error:
        raise PayloadError(
            f"`created_at` is {single.created_at[:40]!r}, but must be a time such as "
            '"2019-05-15 08:00:00.123456" (UTC).'
        ) from error
    if not 0 <= start_us <= MAX_TIME_US:
        raise PayloadError("`created_at` must be between 1970 and 9999.")
    return single


def _check_columns(requests: Requests, operations: int) -> None:
    """What types cannot say: columns of equal length, places that exist."""
    for name in Requests.__struct_fields__[1:]:
        column = getattr(requests, name)
        if column is not None and len(column) != len(requests):
            raise PayloadError(
                f"`requests.{name}` has {len(column)} values, but `requests.start_us` has "
                f"{len(requests)}; all columns need the same length."
            )
    if len(requests) and (last := np.maximum.reduce(requests.operation)) >= operations:
        raise PayloadError(
            f"`requests.operation` names place {last}, but `operations` has "
            f"{operations} entries (places count from 0)."
        )


def _sentence(error: Exception, within: str = "") -> str:
    """msgspec's words, with the path of the field as a name: `$.requests.status[3]`.

    `within`: the field that was decoded, where that was not the whole body.
    """
    words, _, path = str(error).partition(" - at `$")
    name = f"{within}{path.rstrip('`')}".lstrip(".")
    return f"`{name}`: {words}." if name else f"{words}."
