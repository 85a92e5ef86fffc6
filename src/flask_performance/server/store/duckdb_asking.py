"""How DuckDB is asked: from a filter to SQL, and a connection for every question."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import duckdb
import msgspec
from msgspec.structs import replace

from flask_performance.wire import OUTCOMES

from .asking import Asking, Sql
from .base import DAY_US, Filter, StoreUnavailableError
from .block import OperationKey
from .conditions import ENVIRONMENT_IS, OWN_THRESHOLD, RELEASE_IS, SINGLE_TERMS, TERMS
from .duckdb_paths import path_conditions, path_parameters
from .queries import load, named
from .rollups import OPERATIONS
from .statistics import Columns
from .window import parts, statuses

#: Not enough memory for a question, a disk that does not answer, a file that is being closed.
AWAY = (
    duckdb.OutOfMemoryException,
    duckdb.IOException,
    duckdb.ConnectionException,
    duckdb.FatalException,
)

#: What DuckDB says, as an error of no class, where a block of the file is not what was written.
DAMAGED: Final = "Corrupt database file"
#: A reader waits so long at most (seconds) for a file that is being opened anew.
PATIENCE: Final = 2.0
#: A parameter that says up to which request rollups go.
MARK: Final = re.compile(r"\$(rolled|detailed)\b")


T = TypeVar("T")


class AwayError(StoreUnavailableError, duckdb.Error):
    """For readers the store is unavailable; the writing half, which reads too, mends it."""


def is_damage(error: BaseException) -> bool:
    """Whether the file is to blame: blocks are read, and held against their checksums, only when
    they are needed."""
    return type(error) is duckdb.Error and DAMAGED in str(error)


def reason(error: BaseException) -> str:
    """Why, in one line."""
    said = str(error).partition("\n")[0]
    return f"its file is damaged, restore it from a backup: {said}" if is_damage(error) else said


class DuckDBAsking(Asking):
    """The ground that the questions stand on."""

    _own_threshold = OWN_THRESHOLD
    _connection: duckdb.DuckDBPyConnection
    _operations: dict[OperationKey, int]
    #: By project: single requests from before are deleted.
    _raw_from: dict[int, int]
    #: By project: when its newest batch arrived.
    _heard_us: dict[int, int]
    _revisions: dict[int, int]
    #: The file is being opened anew.
    _reopen: bool = False

    def revision(self, project_id: int) -> int:
        return self._revisions.get(project_id, 0)

    def _last_seen(self, project_ids: Sequence[int]) -> dict[int, int]:
        with self._asking():  # what is known by heart is no answer of a store that is away
            return {id: self._heard_us[id] for id in project_ids if id in self._heard_us}

    def _statement(self, name: str, **words: str) -> str:
        return load(name, **words)

    def _operations_of(self, project_ids: Sequence[int]) -> dict[OperationKey, int]:
        asked = set(project_ids)
        ids = ((key, id) for key, id in list(self._operations.items()) if key.project_id in asked)
        return dict(sorted(ids, key=lambda one: one[1]))

    def _cells(
        self,
        filter: Filter,
        project_ids: Sequence[int] | None = None,
        step_us: int = DAY_US,
        together: bool = False,
    ) -> Sql:
        """The requests of a window, as few rows as its length allows. `together`: the operation of
        a request is not asked for."""
        project_ids = [filter.project_id] if project_ids is None else project_ids
        together = together and filter.method is None and filter.route is None
        raw_from_us = max((self._raw_from.get(id, 0) for id in project_ids), default=0)
        found = parts(filter, step_us, together=together, raw_from_us=raw_from_us)
        ways, parameters = self._single_conditions(filter, project_ids)
        selects = []
        for number, (rollup, from_us, to_us) in enumerate(found):
            parameters |= {f"from_{number}": from_us, f"to_{number}": to_us}
            if rollup is None:
                selects += [
                    load("cells_requests", part=str(number), conditions=way) for way in ways
                ]
                continue
            merged = self._conditions("rollup", filter, project_ids)
            parameters |= merged.parameters
            operation = "operation_id" if rollup in OPERATIONS else "0"
            selects.append(
                load(
                    "cells_rollup", table=rollup.table, part=str(number), operation=operation,
                    conditions=merged.sql,
                )
            )  # fmt: skip
        if merged_parts := [part for part in found if part.rollup is not None]:
            parameters["rollups_from"] = min(part.from_us for part in merged_parts)
            parameters["rollups_to"] = max(part.to_us for part in merged_parts)
            selects += [load("cells_fresh", conditions=way) for way in ways]
        if not selects:  # asked all the same, it finds nothing
            parameters |= {"from_0": 0, "to_0": 0}
            selects.append(load("cells_requests", part="0", conditions="false"))
        return Sql("\nunion all\n".join(selects), parameters)

    def _single_conditions(
        self, filter: Filter, project_ids: Sequence[int]
    ) -> tuple[list[str], dict[str, Any]]:
        """The conditions on single requests and their parameters; several exclude each other, and
        what they find adds up."""
        bare = replace(filter, path=None, whole_path=None)
        conditions = self._conditions("request", bare, project_ids)
        asked = path_parameters(filter, self._operations_of(project_ids))
        ways = [f"{conditions.sql} and {way}" for way in path_conditions(asked)]
        return ways, conditions.parameters | asked

    def _conditions(self, table: str, filter: Filter, project_ids: Sequence[int]) -> Sql:
        """What a filter means for the rows of a table; only what it names costs anything."""
        terms: list[str] = []
        parameters: dict[str, Any] = {}
        _one_of("project", project_ids, terms, parameters)
        if filter.environment is not None:
            terms.append(ENVIRONMENT_IS[table])
            parameters["environment"] = filter.environment
        if table in ("rollup", "request"):
            terms += self._own_terms(table, filter, parameters)
            if filter.method is not None or filter.route is not None:
                _one_of("operation", self._matching_operations(filter), terms, parameters)
            if filter.status is not None:
                terms.append("c.status between $status_from and $status_to")
                parameters["status_from"], parameters["status_to"] = statuses(filter.status)
        return Sql(" and ".join(terms), parameters)

    def _own_terms(self, table: str, filter: Filter, parameters: dict[str, Any]) -> list[str]:
        """The conditions beyond operation, status and environment; their values go to the rest."""
        known = TERMS | {"release": RELEASE_IS[table]}
        if table == "request":
            known |= SINGLE_TERMS
        asked = msgspec.structs.asdict(filter)
        if filter.outcome is not None:
            asked["outcome"] = OUTCOMES.index(filter.outcome)
        asked["errors"] = filter.errors or None
        meant = [name for name in known if asked[name] is not None]
        parameters |= {name: asked[name] for name in meant if name != "errors"}
        return [known[name] for name in meant]

    def _matching_operations(self, filter: Filter) -> list[int]:
        return [
            id
            for key, id in list(self._operations.items())
            if key.project_id == filter.project_id
            and filter.method in (None, key.method)
            and filter.route in (None, key.route)
        ]

    @contextmanager
    def _asking(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one question. Raises StoreUnavailableError where waiting may help, or
        asking for less."""
        try:
            with self._connection.cursor() as connection:
                yield connection
        except duckdb.Error as error:
            if not (isinstance(error, AWAY) or is_damage(error)):
                raise
            raise AwayError(reason(error)) from error

    def _rows(self, statement: str, parameters: dict[str, Any] | None = None) -> list[Any]:
        return self._answer(statement, parameters or {}, lambda result: result.fetchall())

    def _columns(self, statement: str, parameters: dict[str, Any]) -> Columns:
        return self._answer(statement, parameters, lambda result: result.fetchnumpy())

    def _answer(
        self,
        statement: str,
        parameters: dict[str, Any],
        fetch: Callable[[duckdb.DuckDBPyConnection], T],
    ) -> T:
        """Ask; once more where the file was opened anew meanwhile, for that takes a moment."""
        asked = self._connection
        try:
            with self._asking() as connection:
                return fetch(self._run(connection, statement, parameters))
        except AwayError:
            if not self._opened_anew(asked):
                raise
        with self._asking() as connection:
            return fetch(self._run(connection, statement, parameters))

    def _opened_anew(self, before: duckdb.DuckDBPyConnection) -> bool:
        """Whether there is another connection than before, now or in a moment."""
        until = time.monotonic() + PATIENCE
        while self._reopen and time.monotonic() < until:
            time.sleep(0.01)
        return self._connection is not before and not self._reopen

    def _run(
        self, connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, Any]
    ) -> duckdb.DuckDBPyConnection:
        """Ask; what is in the rollups and what is not yet are read from the same snapshot."""
        if MARK.search(statement):
            connection.begin()
            parameters = dict(connection.execute(load("marks")).fetchall()) | parameters
        return connection.execute(statement, named(statement, parameters))

    def _named_rows(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        return self._answer(statement, parameters, _by_name)


def _by_name(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _one_of(name: str, ids: Sequence[int], terms: list[str], parameters: dict[str, Any]) -> None:
    """The condition that an id is one of these: one alone is compared many times as fast."""
    if len(ids) == 1:
        terms.append(f"c.{name}_id = $the_{name}")
        parameters[f"the_{name}"] = ids[0]
    else:
        terms.append(f"list_contains($the_{name}s::integer[], c.{name}_id)")
        parameters[f"the_{name}s"] = list(ids)
