"""From decoded batches to one block of columns."""

from collections import defaultdict
from typing import Final

import numpy as np
from msgspec.structs import replace

from flask_performance.wire import DROP_REASONS

from ..payload import Batch, Outline, Overhead, Routes, Single
from ..queue.base import Envelope
from ..store.base import DAY_US
from ..store.block import (
    INTEGERS,
    TEXTS,
    Block,
    Column,
    Declaration,
    InstanceKey,
    OperationKey,
    PlatformReason,
    Receipt,
    Sample,
    text_column,
    unknown,
)

#: What says that it began later than this after it came (microseconds) counts as begun then: what
#: lies in the year 9999 would never be old enough to be deleted.
AHEAD_US: Final = DAY_US
#: Anything else would let a stranger make as many operations as he likes; the word is
#: OpenTelemetry's (`http.request.method`, HTTP semantic conventions).
METHODS: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY")
)
OTHER_METHOD: Final = "_OTHER"
#: The reason of drops that a newer client names and this server does not know.
OTHER_REASON: Final[PlatformReason] = "other"
#: Columns that every block has.
NEEDED: Final = frozenset(
    ("project_id", "operation", "instance", "start_us", "duration_us", "status", "outcome")
)
#: Texts are cut at this many characters.
MAX_TEXT: Final = 2048
#: What an instance says of itself is cut at this many: pages and rollups repeat it.
MAX_LABEL: Final = 200
#: The 2019 client does not say which process it is; a project has one instance for all of them.
INSTANCE_2019: Final = "2019"


class BlockBuilder:
    """Takes batches one after the other; `build` makes the block."""

    def __init__(self) -> None:
        #: How many requests were added.
        self.requests = 0
        self._operations: dict[OperationKey, int] = {}
        self._instances: dict[tuple[int, str], int] = {}
        self._instance_keys: list[InstanceKey] = []
        self._parts: list[dict[str, Column]] = []
        self._receipts: list[Receipt] = []
        self._declarations: list[Declaration] = []
        # Requests of the 2019 client, which come one by one, by column …
        self._singles: defaultdict[str, list[int]] = defaultdict(list)
        self._single_paths: list[str | None] = []
        # … and per instance when the last one came and how many they are.
        self._single_receipts: dict[int, tuple[int, int]] = {}

    def add_batch(self, project_id: int, received_us: int, batch: Batch) -> None:
        instance = self._instance(_instance_key(project_id, batch))
        self._receipts.append(_receipt(instance, received_us, batch))
        if batch.routes is not None:
            self._declarations.append(_declaration(instance, received_us, batch.routes))
        self.requests += len(batch.requests)
        if len(batch.requests):
            self._add_requests(project_id, instance, received_us, batch)

    def add_refused(
        self,
        project_id: int,
        received_us: int,
        message: Batch | Outline | Single,
        reason: PlatformReason,
    ) -> int:
        """Account for a message that is not stored; of its requests only the number is kept."""
        if isinstance(message, Single):
            instance = self._instance_2019(project_id)
            receipt = Receipt(
                instance=instance, received_us=received_us, stored=0, refused={reason: 1}
            )
        elif isinstance(message, Batch):
            instance = self._instance(_instance_key(project_id, message))
            receipt = _receipt(instance, received_us, message)
            receipt = replace(receipt, stored=0, refused={reason: len(message.requests)})
        else:
            instance = self._instance(
                InstanceKey(project_id=project_id, wire_id=message.instance.id)
            )
            receipt = Receipt(
                instance=instance,
                received_us=received_us,
                stored=0,
                refused={reason: len(message)},
                number=message.batch,
                sent_total=message.ledger.sent,
            )
        self._receipts.append(receipt)
        return receipt.refused[reason]

    def add_replayed(self, envelope: Envelope, message: Batch | Single) -> None:
        """What comes back from the dead letters: it was accounted for, and only changes sides."""
        project_id, received_us = envelope.project_id, envelope.received_us
        if isinstance(message, Single):
            stored, instance = 1, self._instance_2019(project_id)
            self._add_single(project_id, instance, received_us, message)
        else:
            stored, instance = (
                len(message.requests), self._instance(_instance_key(project_id, message)),
            )  # fmt: skip
            if stored:
                self._add_requests(project_id, instance, received_us, message)
        self.requests += stored
        self._receipts.append(
            Receipt(
                instance=instance,
                received_us=received_us,
                stored=stored,
                refused={"dead_letter": -envelope.counted},
            )
        )

    def _add_requests(self, project_id: int, instance: int, received_us: int, batch: Batch) -> None:
        requests = batch.requests
        count = len(requests)
        places = np.array(
            [self._operation(project_id, o.method, o.route, o.endpoint) for o in batch.operations],
            dtype="i4",
        )
        columns: dict[str, Column] = {
            "project_id": np.full(count, project_id, INTEGERS["project_id"]),
            "instance": np.full(count, instance, INTEGERS["instance"]),
            "operation": places[requests.operation],
        }
        for name in INTEGERS:
            values = getattr(requests, name, None)
            if name not in columns and values is not None:
                columns[name] = values
        columns["start_us"] = np.minimum(columns["start_us"], received_us + AHEAD_US)
        for name in TEXTS:
            values = getattr(requests, name)
            if values is not None and name != "path":
                columns[name] = text_column([_cut(value) for value in values])
        if requests.path is not None:
            routes = [operation.route for operation in batch.operations]
            columns["path"] = _paths(requests.path, requests.operation.tolist(), routes)
        self._parts.append(columns)

    def add_single(self, project_id: int, received_us: int, single: Single) -> None:
        """A request of the 2019 client: it knows the endpoint and not the route."""
        instance = self._instance_2019(project_id)
        self.requests += 1
        self._add_single(project_id, instance, received_us, single)
        self._single_receipts[instance] = (
            received_us,
            self._single_receipts.get(instance, (0, 0))[1] + 1,
        )

    def _add_single(self, project_id: int, instance: int, received_us: int, single: Single) -> None:
        route = single.endpoint or ""
        self._singles["project_id"].append(project_id)
        self._singles["instance"].append(instance)
        self._singles["operation"].append(
            self._operation(project_id, single.method, route, single.endpoint)
        )
        self._singles["start_us"].append(min(single.start_us, received_us + AHEAD_US))
        self._singles["duration_us"].append(single.duration_us)
        self._singles["status"].append(single.status_code)
        self._single_paths.append(single.path[:MAX_TEXT])

    def _add_singles(self) -> None:
        columns: dict[str, Column] = {
            name: np.array(values, dtype=INTEGERS[name]) for name, values in self._singles.items()
        }
        columns["path"] = text_column(self._single_paths)
        self._parts.append(columns)
        self._receipts.extend(
            Receipt(instance=instance, received_us=received_us, stored=stored)
            for instance, (received_us, stored) in self._single_receipts.items()
        )

    def build(self) -> Block:
        if self._single_paths:
            self._add_singles()
        columns = {
            name: self._column(name)
            for name in (*INTEGERS, *TEXTS)
            if name in NEEDED or any(name in part for part in self._parts)
        }
        return Block(
            columns,
            list(self._operations),
            self._instance_keys,
            self._receipts,
            self._declarations,
        )

    def _column(self, name: str) -> Column:
        """A column of all parts; what a part does not have is filled in for all of it at once."""
        if not self._parts:
            return unknown(name, 0)
        return np.concatenate(
            [
                part[name] if name in part else unknown(name, len(part["start_us"]))
                for part in self._parts
            ],
            dtype=object if name in TEXTS else INTEGERS[name],
            casting="same_kind",
        )

    def _operation(self, project_id: int, method: str, route: str, endpoint: str | None) -> int:
        key = OperationKey(
            project_id,
            _known_method(method),
            route[:MAX_TEXT],
            _cut(endpoint),
        )
        return self._operations.setdefault(key, len(self._operations))

    def _instance_2019(self, project_id: int) -> int:
        return self._instance(
            InstanceKey(project_id=project_id, wire_id=INSTANCE_2019, client="flask-performance/0")
        )

    def _instance(self, key: InstanceKey) -> int:
        place = self._instances.setdefault((key.project_id, key.wire_id), len(self._instances))
        if place == len(self._instance_keys):
            self._instance_keys.append(key)
        return place


def _instance_key(project_id: int, batch: Batch) -> InstanceKey:
    said = batch.instance
    return InstanceKey(
        project_id=project_id,
        wire_id=said.id,
        pid=said.pid,
        started_us=said.started_us,
        **{
            name: _cut(getattr(said, name), MAX_LABEL)
            for name in ("host", "environment", "release", "client", "python", "flask")
        },
    )


def _receipt(instance: int, received_us: int, batch: Batch) -> Receipt:
    return Receipt(
        instance=instance,
        received_us=received_us,
        stored=len(batch.requests),
        number=batch.batch,
        sent_total=batch.ledger.sent,
        waiting=batch.ledger.waiting,
        final=batch.final,
        dropped_totals=_known_reasons(batch.ledger.dropped),
        sample=_sample(received_us, batch),
    )


def _sample(received_us: int, batch: Batch) -> Sample | None:
    said, cost = batch.process, batch.overhead or Overhead()
    if said is None:
        return None
    return Sample(
        # A clock that is ahead must not make a word of the past the newest for long.
        at_us=min(batch.sent_us, received_us),
        cpu_us=said.cpu_us,
        busy_us=said.busy_us,
        memory_bytes=said.memory_bytes,
        concurrent=said.concurrent,
        threads=said.threads,
        beat_us=said.beat_us,
        request_ns=cost.request_ns,
        sender_us=cost.sender_cpu_us,
    )


def _declaration(instance: int, received_us: int, said: Routes) -> Declaration:
    routes = (
        (_known_method(method) if method else "", rule.rule[:MAX_TEXT], _cut(rule.endpoint))
        for rule in said.rules
        for method in rule.methods or [""]
    )
    return Declaration(
        instance=instance,
        received_us=received_us,
        app=_cut(said.app, MAX_LABEL) or "",
        routes=list(dict.fromkeys(routes)),
    )


def _known_method(method: str) -> str:
    return method if method in METHODS else OTHER_METHOD


def _cut(text: str | None, most: int = MAX_TEXT) -> str | None:
    return text and text[:most]


def _known_reasons(dropped: dict[str, int]) -> dict[str, int]:
    """The closed list of reasons; what is not on it is counted together."""
    totals: dict[str, int] = {}
    for reason, total in dropped.items():
        known = reason if reason in DROP_REASONS else OTHER_REASON
        totals[known] = totals.get(known, 0) + total
    return totals


def _paths(paths: list[str | None], places: list[int], routes: list[str]) -> Column:
    """Null where the path says no more than the route does."""
    return text_column([
        None if path is None or path == route else path[:MAX_TEXT]
        for path, route in zip(paths, map(routes.__getitem__, places), strict=True)
    ])  # fmt: skip
