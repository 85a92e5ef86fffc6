"""What the file of the embedded event store takes on disk, and how it becomes smaller.

DuckDB uses the blocks of deleted rows again after the next checkpoint, but gives back to the system
only those at the end of the file. So a file stops growing when rows are deleted in time, and
becomes small only when it is written anew.
"""

import contextlib
import os
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from .details import DETAILS, WIDTH_US
from .queries import load, named
from .rollups import ROLLUPS, Tier


class Aged(NamedTuple):
    """A table of a tier, the width of its steps, and what may be deleted of it."""

    table: str
    width_us: int
    condition: str


#: The tiers, those that go first before those that go last. By a tier's first table that has rows
#: it is told how old the tier is: the coarsest, whose steps end last.
TIERS: Final[dict[Tier, list[Aged]]] = {
    "raw": [Aged("request", 1, "id <= $detailed")],
    "minutes": [],
    "hours": [],
}
for _table in DETAILS.values():
    TIERS["minutes"].append(Aged(_table, WIDTH_US, "true"))
for _rollup in reversed(ROLLUPS):
    TIERS[_rollup.tier].append(Aged(_rollup.table, _rollup.width_us, "true"))

#: So much of the file must be unused to be worth writing anew.
WORTH: Final = 0.25


def used_bytes(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """What the rows take: blocks that wait to be used again do not count."""
    blocks = connection.execute("select block_size * used_blocks from pragma_database_size()")
    found = blocks.fetchall()
    log = path.with_name(f"{path.name}.wal")
    with contextlib.suppress(FileNotFoundError):
        return int(found[0][0]) + log.stat().st_size
    return int(found[0][0])


def oldest(
    connection: duckdb.DuckDBPyConnection, tier: Tier, share: float, detailed: int
) -> int | None:
    """The moment before which about this share of a tier's rows began; None: there is nothing."""
    for table, width_us, condition in TIERS[tier]:
        statement = load("oldest", table=table, condition=condition)
        parameters = named(statement, {"share": share, "detailed": detailed})
        found = connection.execute(statement, parameters).fetchall()[0][0]
        if found is not None:
            return int(found) + width_us
    return None


def shrink(path: Path, most: int) -> tuple[int, int] | None:
    """Write a file anew that is too large and partly unused; its sizes before and after.

    Only while nobody has it open. Raises duckdb.Error and OSError, with nothing changed.
    """
    before = path.stat().st_size if path.exists() else 0
    if before <= most:
        return None
    copy = path.with_name(f"{path.name}.smaller")
    copy.unlink(missing_ok=True)
    try:
        with contextlib.closing(
            duckdb.connect(str(path), config={"memory_limit": "400MB", "threads": 2})
        ) as connection:
            connection.execute("checkpoint")
            if used_bytes(connection, path) > before * (1 - WORTH):
                return None
            name = str(connection.execute("select current_database()").fetchall()[0][0])
            target = str(copy).replace("'", "''")
            connection.execute(f"attach '{target}' as smaller")
            connection.execute(f'copy from database "{name}" to smaller')
            connection.execute("detach smaller")
        _sync(copy)
        copy.replace(path)
        _sync(path.parent)
    finally:
        copy.unlink(missing_ok=True)
    return before, path.stat().st_size


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
