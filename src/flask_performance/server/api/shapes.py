"""What the API answers, as types. The OpenAPI document is generated from them.

Durations are milliseconds, sizes bytes, times RFC 3339 in UTC, shares and rates of errors 0 to 1.
"""

from typing import Annotated, Generic, TypeVar

import msgspec

from flask_performance.server.store.declared import Called
from flask_performance.server.store.living import State
from flask_performance.wire import Outcome

T = TypeVar("T")

Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Rate = Annotated[float, msgspec.Meta(ge=0)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, description="Milliseconds.")]
Bytes = Annotated[int, msgspec.Meta(ge=0, description="Bytes.")]


class ListOf(msgspec.Struct, Generic[T], frozen=True):
    """Some items, and the cursor that continues after them; null at the end."""

    items: list[T]
    next: str | None


class Team(msgspec.Struct, frozen=True):
    """People who share projects."""

    id: str
    name: str
    role: Annotated[str, msgspec.Meta(description="Yours: owner, admin, member or viewer.")]


class TeamName(msgspec.Struct, frozen=True):
    id: str
    name: str


class Project(msgspec.Struct, frozen=True):
    """A monitored app."""

    id: str
    name: str
    dsn: Annotated[
        str | None,
        msgspec.Meta(
            description="What METRIC_DSN is set to. null when every key of the project is revoked, "
            "for viewers of the team, and for a token without the scope `write`."
        ),
    ]
    team: TeamName
    created: Time


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The secret part of a DSN. A project may have several."""

    id: str
    name: str
    dsn: Annotated[str, msgspec.Meta(description="What METRIC_DSN is set to.")]
    created: Time
    last_used: Time | None
    requests: Annotated[int, msgspec.Meta(ge=0, description="Accepted with this key.")]
    revoked: Annotated[Time | None, msgspec.Meta(description="From then on it is refused.")]


class NewProject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project to create."""

    name: str
    team: Annotated[
        str | None, msgspec.Meta(description="A team's id. Left out: your first team.")
    ] = None


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Durations within 1 %; null where nothing happened."""

    p50: Milliseconds | None
    p95: Milliseconds | None
    p99: Milliseconds | None


class Numbers(Quantiles, frozen=True, kw_only=True):
    """A set of requests in a few numbers."""

    requests: Count
    errors: Annotated[int, msgspec.Meta(ge=0, description="Status 500 or above, or failed.")]
    error_rate: Share
    per_second: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            description="Over the window; of a project that is younger, since its first request.",
        ),
    ]
    mean: Milliseconds | None
    apdex: Annotated[
        Share | None,
        msgspec.Meta(
            description="(satisfied + tolerated / 2) / requests, as apdex.org has it: satisfied up "
            "to the threshold, the operation's own or the project's; tolerated up to four times "
            "it; an error is neither. Null where nothing happened.",
        ),
    ]


class Summary(Numbers, frozen=True, kw_only=True):
    """The requests of a window in a few numbers."""

    start: Time
    end: Time


class Operation(Numbers, frozen=True, kw_only=True):
    """Method and route, with the numbers of its requests."""

    method: str
    route: Annotated[str, msgspec.Meta(description="Empty: the requests that matched no route.")]
    endpoint: str | None
    share: Annotated[float, msgspec.Meta(ge=0, le=1, description="Of the total time.")]


class Step(Quantiles, frozen=True, kw_only=True):
    """One step of a series. Its requests are counted by how they ended."""

    start: Time
    requests: Count
    errors: Annotated[int, msgspec.Meta(ge=0, description="Status 500 or above, or failed.")]
    error_rate: Annotated[Share | None, msgspec.Meta(description="Null where nothing happened.")]
    per_second: Rate
    informational: Count
    success: Count
    redirect: Count
    client_error: Count
    server_error: Count
    disconnected: Count
    satisfied: Count
    tolerated: Count
    apdex: Annotated[
        Share | None,
        msgspec.Meta(description="As in the summary; a threshold is met within 1 %."),
    ]


class Series(msgspec.Struct, frozen=True):
    """Steps, oldest first; steps without requests are there too."""

    items: list[Step]
    next: str | None
    step: Annotated[int, msgspec.Meta(ge=1, description="Seconds.")]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release that was heard for the first time in the window."""

    name: str
    first_heard: Annotated[
        Time,
        msgspec.Meta(
            description="When its first process was first heard; where that told of requests from "
            "before, when they began. In the environment asked for, or in any."
        ),
    ]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request that the app served."""

    id: int
    start: Time
    duration: Milliseconds
    method: str
    route: str
    endpoint: str | None
    path: str
    status: int
    outcome: Outcome
    first_byte: Milliseconds | None
    request_bytes: Bytes | None
    response_bytes: Bytes | None
    cpu: Milliseconds | None
    queue: Milliseconds | None
    exception: str | None
    trace_id: str | None
    consumer: str | None
    instance: str
    host: str | None
    environment: str | None
    release: str | None


class Unmatched(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that asked for one path in vain, in one way."""

    method: str
    path: str
    status: int
    requests: Count
    last: Time
    consumer: Annotated[str | None, msgspec.Meta(description="Who asked last, where it is named.")]
    probe: Annotated[
        str | None,
        msgspec.Meta(description="What a scanner looks for there; null: the path is no probe's."),
    ]
    hint: Annotated[str | None, msgspec.Meta(description="What to do about it, where known.")]
    route: Annotated[str | None, msgspec.Meta(description="The route that the hint leads to.")]


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """seen = stored + dropped + waiting + lost, over what was reported in the window."""

    seen: Count
    stored: Count
    waiting: Count
    lost: Count
    dropped: Annotated[dict[str, int], msgspec.Meta(description="Requests by reason.")]
    silent: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            description="Processes that said nothing in the last 5 minutes of the window and "
            "since, and no goodbye: idle, or ended by force. What one that ended saw after its "
            "last batch is unknown, and in none of the other numbers.",
        ),
    ]


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the app, as it was heard in the window."""

    id: str
    host: str | None
    pid: Count | None
    environment: str | None
    release: str | None
    client: str | None
    python: str | None
    flask: str | None
    state: Annotated[
        State,
        msgspec.Meta(
            description="At the end of the window. serving, idle: heard in its last 5 minutes, "
            "with and without requests. ended: it said goodbye. gone: silent though it should "
            "report. replaced: silent, and another process of the host took its place. silent: "
            "idle or ended by force, and its client does not say which."
        ),
    ]
    started: Time | None
    last_seen: Time
    requests: Count
    per_second: Annotated[float, msgspec.Meta(ge=0, description="While it lived in the window.")]
    busy: Annotated[
        Share | None,
        msgspec.Meta(
            description="Of the time, times the most requests it was seen to serve at once. This "
            "and all below are null where its client does not say."
        ),
    ]
    cpu: Annotated[float | None, msgspec.Meta(description="Processors it kept busy.")]
    memory: Bytes | None
    peak_memory: Bytes | None
    threads: Count | None
    concurrent: Annotated[
        Count | None, msgspec.Meta(description="The most requests it served at once.")
    ]
    queue_p95: Annotated[
        Milliseconds | None,
        msgspec.Meta(description="Waited in front of it, in the last hour of the window."),
    ]
    overhead: Annotated[
        float | None,
        msgspec.Meta(description="Milliseconds that the extension adds to a request, measured."),
    ]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route for one method: declared by the app, called, or both."""

    method: Annotated[str, msgspec.Meta(description="Empty: whatever the method.")]
    route: str
    endpoint: str | None
    declared: Annotated[
        bool, msgspec.Meta(description="Whether the newest processes of an app declare it.")
    ]
    static: Annotated[bool, msgspec.Meta(description="It hands out an app's files.")]
    environments: list[str]
    apps: list[str]
    release: Annotated[
        str | None, msgspec.Meta(description="Of the process that declared it last.")
    ]
    first_declared: Time | None
    last_declared: Time | None
    called: Annotated[
        Called,
        msgspec.Meta(description="called: in the window. quiet: before it. never: never."),
    ]
    last_called: Annotated[
        Time | None, msgspec.Meta(description="Ever, in any environment; null: never.")
    ]
    requests: Annotated[int, msgspec.Meta(ge=0, description="In the window.")]
