"""What a store says of the processes of an app, and of the routes that they declare."""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance used in a window, as it said itself; None: it did not say.

    Sums are of the time `span_us`, from its first word in the window (or the last one shortly
    before) to its last.
    """

    at_us: int  # of its last word, by its own clock
    span_us: int
    cpu_us: int | None  # processor time of the process
    busy_us: int | None  # durations of its requests, added up: two at once count twice
    memory_bytes: int | None  # at last
    peak_bytes: int | None
    concurrent: int | None  # the most requests under way at once
    threads: int | None
    beat_us: int | None  # it speaks this often, with or without requests; None or 0: it need not
    request_ns: int | None  # what recording adds to a request
    sender_us: int | None  # processor time of the sending


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One process of an app, as it was heard in a window."""

    instance: str  # the wire id
    host: str | None
    pid: int | None
    environment: str | None
    release: str | None
    client: str | None
    python: str | None
    flask: str | None
    started_us: int | None
    last_seen_us: int  # when its last batch of the window arrived
    served_us: int | None  # when the last one that brought requests did
    requests: int  # that arrived in the window and were stored
    final: bool  # it said goodbye
    usage: Usage | None  # None: its client says nothing of the process


class DeclaredRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route that an app declares, for one method."""

    app: str  # empty: it did not say its name
    environment: str | None
    method: str  # empty: whatever the method
    route: str
    endpoint: str | None
    release: str | None  # of the process that declared it last
    first_us: int
    last_us: int  # when that was; an older one than the app's newest is declared no more
