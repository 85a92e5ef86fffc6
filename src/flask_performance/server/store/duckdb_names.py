"""What requests know by ids only: their operation and the process that served them.

What an id means never changes, so that each is asked for once: joined to the requests of every
question, the two tables cost more than finding these.
"""

from typing import Any, Final

from flask_performance.wire import OUTCOMES

from .base import RequestRow
from .duckdb_places import DuckDBPlaces
from .queries import load

#: By table, the fields of a request that its ids stand for.
FIELDS: Final = {
    "operation": "method, route, endpoint",
    "instance": "wire_id as instance, host, environment, release",
}
#: So many ids of a table are remembered; then it begins anew.
MOST_NAMES: Final = 20_000

Names = dict[int, dict[str, Any]]


class DuckDBNames(DuckDBPlaces):
    """From rows of requests to requests."""

    #: By table and id; begun anew when the file is read anew, for only then an id of something
    #: that was deleted may be given again.
    _names: dict[str, Names]

    def _forget_names(self) -> None:
        self._names = {table: {} for table in FIELDS}

    def _request_rows(self, statement: str, parameters: dict[str, Any]) -> list[RequestRow]:
        rows = self._named_rows(statement, parameters)
        operations = self._named("operation", {row["operation_id"] for row in rows})
        instances = self._named("instance", {row["instance_id"] for row in rows})
        found = []
        for row in rows:
            operation = operations.get(row.pop("operation_id"))
            instance = instances.get(row.pop("instance_id"))
            if operation is None or instance is None:
                continue  # the project was deleted between the questions
            path = operation["route"] if row["path"] is None else row["path"]
            outcome = OUTCOMES[row["outcome"]]
            found.append(
                RequestRow(**(row | operation | instance | {"path": path, "outcome": outcome}))
            )
        return found

    def _named(self, table: str, ids: set[int]) -> Names:
        known = self._names[table]
        found = {id: name for id in ids if (name := known.get(id)) is not None}
        if new := ids - found.keys():
            asked = load("names", table=table, columns=FIELDS[table])
            found |= {row.pop("id"): row for row in self._named_rows(asked, {"ids": list(new)})}
            if len(known) + len(new) > MOST_NAMES:
                known.clear()
            known.update(found)
        return found
