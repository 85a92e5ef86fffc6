"""What every home of the event store offers to the questions that both of them answer alike.

```
EventStore          the seam
  Asking            how a home is asked
    Reader          questions about sets of requests
      ProcessReader questions about processes and routes
```

A statement has the same name and the same columns in every home; its text is the home's own.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from .base import EventStore, Filter
from .block import OperationKey
from .shapes import DAY_US
from .statistics import Columns


class Sql(NamedTuple):
    """A piece of a statement and the parameters that it names."""

    sql: str
    parameters: dict[str, Any]


class Asking(EventStore):
    """Between the seam and a home."""

    #: The threshold of a cell's operation, in the home's SQL.
    _own_threshold: ClassVar[str]

    @abstractmethod
    def _statement(self, name: str, **words: str) -> str:
        """The text of a named statement."""

    @abstractmethod
    def _rows(self, statement: str, parameters: dict[str, Any] | None = None) -> list[Any]: ...

    @abstractmethod
    def _named_rows(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]: ...

    @abstractmethod
    def _columns(self, statement: str, parameters: dict[str, Any]) -> Columns: ...

    @abstractmethod
    def _cells(
        self,
        filter: Filter,
        project_ids: Sequence[int] | None = None,
        step_us: int = DAY_US,
        together: bool = False,
    ) -> Sql:
        """The requests of a window, as few rows as its length allows. `together`: the operation of
        a request is not asked for."""

    @abstractmethod
    def _conditions(self, table: str, filter: Filter, project_ids: Sequence[int]) -> Sql:
        """What a filter means for the rows of a table."""

    @abstractmethod
    def _single_columns(self, name: str, filter: Filter, **more: int) -> Columns:
        """A named question about single requests, which no rollup can answer."""

    @abstractmethod
    def _operations_of(self, project_ids: Sequence[int]) -> Mapping[OperationKey, int]:
        """The ids of some projects' operations, those that are known longest first."""
