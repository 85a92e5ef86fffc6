"""How ClickHouse is asked: from a filter to SQL, and what of the store counts at the moment."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from flask_performance.server.store.asking import Asking, Sql
from flask_performance.server.store.base import DAY_US, Filter
from flask_performance.server.store.block import OperationKey
from flask_performance.server.store.rollups import OPERATIONS
from flask_performance.server.store.statistics import Columns
from flask_performance.server.store.window import Part, parts, statuses
from flask_performance.wire import OUTCOMES

from .attempts import Attempts, State, hashed
from .columns import buckets
from .engine import Engine
from .queries import filled, statement

#: Conditions of a filter, for rollups and requests alike …
TERMS: Final = {
    "environment": "c.environment = $environment",
    "release": "c.release = $release",
    "outcome": "c.outcome = $outcome",
    "errors": "(c.status >= 500 or c.outcome = 2)",
}
#: … and those that only single requests can answer. A path that is not written equals the route.
SINGLE_TERMS: Final = {
    # A bucket is a quarter of what a duration is to read.
    "duration_from_us": "c.bucket >= $least_bucket and c.duration_us >= $duration_from_us",
    "duration_to_us": "c.bucket <= $most_bucket and c.duration_us < $duration_to_us",
    "instance": "c.instance_id = $instance_id",
    "consumer": "c.consumer = $consumer",
    "trace_id": "c.trace_id = $trace_id",
    "whole_path": "if(c.path is null, c.operation_id in $same_path, c.path = $whole_path)",
    "path": "if(c.path is null, c.operation_id in $like_path, position(c.path, $path) > 0)",
}
#: Statements that say this ask for what counts at the moment.
STATE: Final = re.compile(r"@settled|\$(garbage|fresh|minutes|coarse|upto)\b")
#: Requests that hang in the middle of being stored do not count.
SETTLED: Final = "bitShiftRight(c.id, 20) not in $garbage"


class ClickHouseAsking(Asking):
    """The ground that the questions stand on."""

    _own_threshold = "transform(operation_id, $own_operations, $own_us, $apdex_us)"
    _engine: Engine
    _attempts: Attempts
    #: What stands for `system.parts` of all shards.
    _parts: str

    def _raw_from(self, project_ids: Sequence[int]) -> int:
        """Single requests of one of these projects from before are deleted."""
        raise NotImplementedError

    def _statement(self, name: str, **words: str) -> str:
        return statement(name, **words)

    def _rows(self, statement: str, parameters: dict[str, Any] | None = None) -> list[Any]:
        names, columns = self._answer(statement, parameters or {})
        exact = [
            [int(value) for value in column] if type.startswith("Decimal") else column
            for (_, type), column in zip(names, columns, strict=True)
        ]
        return list(zip(*exact, strict=True))

    def _named_rows(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        names, columns = self._answer(statement, parameters)
        labels = [name for name, _ in names]
        return [dict(zip(labels, row, strict=True)) for row in zip(*columns, strict=True)]

    def _columns(self, statement: str, parameters: dict[str, Any]) -> Columns:
        names, columns = self._answer(statement, parameters)
        return {
            name.removesuffix("_"): np.array(column, dtype=_kind(type))
            for (name, type), column in zip(names, columns, strict=True)
        }

    def _answer(
        self, statement: str, parameters: dict[str, Any]
    ) -> tuple[list[tuple[str, str]], list[Sequence[Any]]]:
        if "garbage" not in parameters and STATE.search(statement):
            parameters = self._attempts.state().parameters | parameters
        settled = SETTLED if parameters.get("garbage") else "1"
        statement = statement.replace("@settled", settled)
        return self._engine.ask(filled(statement, parameters))

    def _cells(
        self,
        filter: Filter,
        project_ids: Sequence[int] | None = None,
        step_us: int = DAY_US,
        together: bool = False,
    ) -> Sql:
        project_ids = [filter.project_id] if project_ids is None else project_ids
        together = together and filter.method is None and filter.route is None
        found = parts(filter, step_us, together=together, raw_from_us=self._raw_from(project_ids))
        state = self._attempts.state()
        single = self._conditions("request", filter, project_ids)
        merged = self._conditions("rollup", filter, project_ids)
        parameters = state.parameters | single.parameters | merged.parameters
        selects = []
        for number, part in enumerate(found or [Part(None, 0, 0)]):
            parameters |= {f"from_{number}": part.from_us, f"to_{number}": part.to_us}
            if part.rollup is None:
                selects.append(statement("cells_requests", part=str(number), conditions=single.sql))
                continue
            by_operation = part.rollup in OPERATIONS
            selects.append(
                statement(
                    "cells_rollup", table=part.rollup.table, part=str(number),
                    operation="operation_id" if by_operation else "toInt64(0)",
                    level="minutes" if part.rollup == OPERATIONS[0] else "coarse",
                    conditions=merged.sql,
                )
            )  # fmt: skip
        selects += _rest(found, state, parameters, single.sql, merged.sql)
        return Sql("\nunion all\n".join(selects), parameters)

    def _conditions(self, table: str, filter: Filter, project_ids: Sequence[int]) -> Sql:
        """What a filter means for the rows of a table; only what it names costs anything."""
        terms = ["c.project_id in $the_projects"]
        parameters: dict[str, Any] = {"the_projects": tuple(project_ids)}
        known = TERMS if table in ("request", "rollup") else {"environment": TERMS["environment"]}
        if table == "request":
            known = known | SINGLE_TERMS
        asked = msgspec.structs.asdict(filter)
        asked["errors"] = filter.errors or None
        if filter.outcome is not None:
            asked["outcome"] = OUTCOMES.index(filter.outcome)
        meant = [name for name in known if asked[name] is not None]
        terms += [known[name] for name in meant]
        parameters |= {name: asked[name] for name in meant}
        if table in ("request", "rollup"):
            if filter.method is not None or filter.route is not None:
                terms.append("c.operation_id in $the_operations")
                parameters["the_operations"] = self._matching_operations(filter)
            if filter.status is not None:
                terms.append("c.status >= $status_from and c.status <= $status_to")
                parameters["status_from"], parameters["status_to"] = statuses(filter.status)
        if table == "request":
            parameters |= self._single_parameters(filter)
        return Sql(" and ".join(terms), parameters)

    def _single_parameters(self, filter: Filter) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        if filter.duration_from_us is not None:
            parameters["least_bucket"] = bucket_of(filter.duration_from_us)
        if filter.duration_to_us is not None:
            parameters["most_bucket"] = bucket_of(filter.duration_to_us)
        if filter.instance is not None:
            parameters["instance_id"] = hashed(filter.project_id, filter.instance)
        if filter.path is not None or filter.whole_path is not None:
            ids = self._operations_of([filter.project_id])
            parameters["same_path"] = tuple(
                id for key, id in ids.items() if key.route == filter.whole_path
            )
            parameters["like_path"] = tuple(
                id for key, id in ids.items() if (filter.path or "") in key.route
            )
        return parameters

    def _matching_operations(self, filter: Filter) -> tuple[int, ...]:
        return tuple(
            id
            for key, id in self._operations_of([filter.project_id]).items()
            if filter.method in (None, key.method) and filter.route in (None, key.route)
        )

    def _operations_of(self, project_ids: Sequence[int]) -> dict[OperationKey, int]:
        rows = self._rows(statement("operations"), {"projects": list(project_ids)})
        return {OperationKey(*key): id for *key, id in rows}


def _rest(
    found: Sequence[Part], state: State, parameters: dict[str, Any], single: str, merged: str
) -> list[str]:
    """What is not in the rollups of these parts yet."""
    selects = []
    coarse = [part for part in found if part.rollup not in (None, OPERATIONS[0])]
    if coarse and state.minutes > state.upto:
        parameters["late_from"] = min(part.from_us for part in coarse)
        parameters["late_to"] = max(part.to_us for part in coarse)
        selects.append(statement("cells_late", operation="operation_id", conditions=merged))
    rolled = [part for part in found if part.rollup is not None]
    if rolled and state.fresh:
        first_us = min(one.first_us for one in state.fresh)
        last_us = max(one.last_us for one in state.fresh)
        parameters["fresh_from"] = max(min(part.from_us for part in rolled), first_us)
        parameters["fresh_to"] = min(max(part.to_us for part in rolled), last_us + 1)
        selects.append(statement("cells_fresh", conditions=single))
    return selects


def bucket_of(duration_us: int) -> int:
    return int(buckets(np.array([min(duration_us, 2**63 - 1)]))[0])


def _kind(type: str) -> str:
    """The numpy type of a column."""
    if "String" in type or type.startswith("Nullable"):
        return "O"
    return "f8" if type.startswith(("Float", "Decimal")) else "i8"
