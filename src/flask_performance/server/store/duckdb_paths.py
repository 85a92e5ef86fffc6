"""What a filter asks of the path of single requests, in ways that DuckDB answers quickly.

A path that equals its route is not written. Whether a path is written as asked, or its operation
has the route, are two conditions of which no request fulfils both. Asked one by one the first is
looked up in the dictionary of paths; with `or` between them every request would be looked at.
"""

import itertools
from collections.abc import Mapping
from typing import Any, Final

from .base import Filter
from .block import OperationKey

#: What is asked of a path that is written.
WRITTEN: Final = {"path": "contains(c.path, $path)", "whole_path": "c.path = $whole_path"}


def path_parameters(filter: Filter, operations: Mapping[OperationKey, int]) -> dict[str, Any]:
    """The parts of a path that a filter asks for, each with the operations whose route has it."""
    parameters: dict[str, Any] = {}
    if filter.path is not None:
        having = [id for key, id in operations.items() if filter.path in key.route]
        parameters |= {"path": filter.path, "having_path": having}
    if filter.whole_path is not None:
        being = [id for key, id in operations.items() if filter.whole_path == key.route]
        parameters |= {"whole_path": filter.whole_path, "having_whole_path": being}
    return parameters


def path_conditions(parameters: Mapping[str, Any]) -> list[str]:
    """The ways in which a request's path may be what is asked for: they exclude each other."""
    ways = [
        [term, f"c.path is null and list_contains($having_{name}::integer[], c.operation_id)"]
        if parameters[f"having_{name}"]
        else [term]
        for name, term in WRITTEN.items()
        if name in parameters
    ]
    return [" and ".join(way) or "true" for way in itertools.product(*ways)]
