"""A ClickHouse engine whose process dies."""

from collections.abc import Callable, Mapping
from typing import Any

from flask_performance.server.store.clickhouse.engine import Engine


class Dying:
    """An engine whose process dies before, or behind, the so manyeth change."""

    def __init__(self, engine: Engine, changes: int, *, behind: bool) -> None:
        self._engine, self._left, self._behind = engine, changes, behind
        self.ask, self.close = engine.ask, engine.close

    def do(self, statement: str) -> None:
        self._change(lambda: self._engine.do(statement))

    def insert(self, table: str, columns: Mapping[str, list[Any]]) -> None:
        self._change(lambda: self._engine.insert(table, columns))

    def _change(self, change: Callable[[], None]) -> None:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        change()
        if self._left == 0 and self._behind:
            self._left = -1
            raise KeyboardInterrupt
