"""The questions about the processes of an app and the routes that they declare, for every home."""

from typing import Any, Final

from .base import SILENT_US, Filter, Release, Spread
from .processes import DeclaredRoute, InstanceRow, Usage
from .reader import Reader
from .statistics import grouped_stats, spread_of

#: Conditions of a filter on a process.
INSTANCE_TERMS: Final = {
    "release": "i.release = $release",
    "instance": "i.wire_id = $instance",
}
#: Where a process runs.
ENVIRONMENT_TERM: Final = "i.environment = $environment"
#: No condition, in words that every home has.
ANY: Final = "1 = 1"
#: What a process said before the window.
BEFORE: Final = "at_us < $start_us"


class ProcessReader(Reader):
    """The questions of the pages of instances and routes."""

    def instances(self, filter: Filter, limit: int) -> list[InstanceRow]:
        conditions = self._conditions("receipt", filter, [filter.project_id])
        asked = {name: getattr(filter, name) for name in INSTANCE_TERMS}
        terms = [INSTANCE_TERMS[name] for name, value in asked.items() if value is not None]
        statement = self._statement(
            "instances",
            conditions=conditions.sql,
            named=" and ".join(terms) or ANY,
            before=BEFORE,
        )
        parameters = {
            **conditions.parameters,
            **asked,
            "project_id": filter.project_id,
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            # A living process speaks more often than this.
            "since_us": filter.start_us - SILENT_US,
            "limit": limit,
        }
        return [_instance_row(row) for row in self._named_rows(statement, parameters)]

    def first_heard(self, filter: Filter, limit: int) -> list[Release]:
        environment = filter.environment
        statement = self._statement(
            "first_heard", conditions=ENVIRONMENT_TERM if environment is not None else ANY
        )
        parameters = {
            "project_id": filter.project_id,
            "environment": environment,
            "start_us": filter.start_us,
            "end_us": filter.end_us,
            "limit": limit,
        }
        return [Release(**row) for row in self._named_rows(statement, parameters)]

    def waits(self, filter: Filter) -> dict[str, Spread]:
        columns = self._single_columns("waits", filter)
        names = dict(zip(columns["group"].tolist(), columns["wire_id"].tolist(), strict=True))
        return {names[id]: spread_of(stats) for id, stats in grouped_stats(columns).items()}

    def declared(self, project_id: int) -> list[DeclaredRoute]:
        rows = self._named_rows(self._statement("declared"), {"project_id": project_id})
        return [DeclaredRoute(**row) for row in rows]

    def last_called(self, project_id: int) -> dict[tuple[str, str], int]:
        rows = self._rows(self._statement("last_called"), {"project_id": project_id})
        return {(method, route): start_us for method, route, start_us in rows}


def _instance_row(row: dict[str, Any]) -> InstanceRow:
    used = {name: row.pop(name) for name in Usage.__struct_fields__}
    return InstanceRow(**row, usage=None if used["at_us"] is None else Usage(**used))
