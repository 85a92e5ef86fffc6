"""What ingest hands to a store: columns of requests, and a receipt for every batch they came in."""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..numbers import UNKNOWN as UNKNOWN

Column = NDArray[Any]

#: Integer columns of a block and their numpy types.
INTEGERS: dict[str, str] = {
    "project_id": "i4",
    "operation": "i4",  # place in Block.operations
    "instance": "i4",  # place in Block.instances
    "start_us": "i8",
    "duration_us": "i8",
    "status": "i2",
    "outcome": "i1",  # place in wire.OUTCOMES
    "first_byte_us": "i8",
    "request_bytes": "i8",
    "response_bytes": "i8",
    "cpu_us": "i8",
    "queue_us": "i8",
}
#: Text columns of a block; None is "not known".
TEXTS: tuple[str, ...] = ("path", "exception", "trace_id", "consumer")


class OperationKey(msgspec.Struct, frozen=True):
    project_id: int
    method: str
    route: str
    endpoint: str | None


class InstanceKey(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a monitored app, as its batches describe it."""

    project_id: int
    wire_id: str
    host: str | None = None
    pid: int | None = None
    environment: str | None = None
    release: str | None = None
    client: str | None = None
    python: str | None = None
    flask: str | None = None
    started_us: int | None = None


#: Why the platform itself did not store a request that it received. A closed list: the ledger
#: counts by these words, beside the clients' own (`wire.DropReason`).
PlatformReason = Literal[
    "dead_letter",  # it cannot be stored; its batch lies in the journal's dead letters
    "other",  # a newer client's reason that this platform does not know
]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a process said of itself with a batch; totals as in `wire.Process`. None: not known."""

    at_us: int
    cpu_us: int | None = None
    busy_us: int | None = None
    memory_bytes: int | None = None
    concurrent: int | None = None
    threads: int | None = None
    beat_us: int | None = None
    request_ns: int | None = None
    sender_us: int | None = None


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """All routes that an app declared with a batch: method, rule and endpoint of each."""

    instance: int  # place in Block.instances
    received_us: int
    app: str
    routes: list[tuple[str, str, str | None]]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One batch, for the ledger. Totals are the client's, counted since its process started."""

    instance: int  # place in Block.instances
    received_us: int
    stored: int  # requests of this batch in this block
    #: Its other requests, by the reason for not storing them.
    refused: dict[PlatformReason, int] = {}
    number: int | None = None  # None: sent by the 2019 client, which numbers nothing
    sent_total: int | None = None
    waiting: int = 0
    final: bool = False
    dropped_totals: dict[str, int] = {}
    sample: Sample | None = None


@dataclass(frozen=True)
class Block:
    """Requests of any number of projects. All columns have the same length; one of which no request
    has anything is left out."""

    columns: dict[str, Column]
    operations: list[OperationKey]
    instances: list[InstanceKey]
    receipts: list[Receipt]
    declarations: list[Declaration] = field(default_factory=list)
    #: The same whenever its queue hands it out again; empty: it has a position in the journal.
    id: str = ""
    requests: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "requests", len(self.columns["start_us"]))

    @property
    def project_ids(self) -> set[int]:
        return {instance.project_id for instance in self.instances}

    @property
    def first_us(self) -> Column:
        """When each instance was first heard, by this block: it may tell of the time before."""
        first = np.full(len(self.instances), np.iinfo("i8").max)
        np.minimum.at(first, self.columns["instance"], self.columns["start_us"])
        for receipt in self.receipts:
            first[receipt.instance] = min(first[receipt.instance], receipt.received_us)
        return first


def text_column(values: list[str | None]) -> Column:
    """An object array, which numpy would otherwise turn into fixed-width text."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def unknown(name: str, count: int) -> Column:
    """A column of which nothing is known."""
    if name in TEXTS:
        return np.full(count, None, dtype=object)
    return np.full(count, 0 if name == "outcome" else UNKNOWN, dtype=INTEGERS[name])
