"""What the file of the embedded event store takes on disk, and how it becomes smaller.

DuckDB uses the blocks of deleted rows again after the next checkpoint, but gives back to the system
only those at the end of the file. So a file stops growing when rows are deleted in time, and
becomes small only when it is written anew.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Mapping
from math import ceil
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
) -> dict[int, int]:
    """By project: the moment before which all of its rows in a tier are to go, so that about this
    share of the tier goes. Empty: there is nothing."""
    taken: Counter[int] = Counter()
    for table, _, condition in TIERS[tier]:
        statement = load("taken", table=table, condition=condition)
        found = connection.execute(statement, named(statement, {"detailed": detailed}))
        taken.update(dict(found.fetchall()))
    level = fair_level(taken, share)
    parts = {id: 1 - level / rows for id, rows in taken.items() if rows > level}
    return {
        id: _oldest_of(connection, tier, {"project_id": id, "share": part, "detailed": detailed})
        for id, part in parts.items()
    }


def fair_level(taken: Mapping[int, int], share: float) -> int:
    """How many rows a project may keep, so that about this share of all goes.

    Who has less keeps everything: who takes the most room gives way first, and nobody's history
    pays for another one's noise.
    """
    total = sum(taken.values())
    kept = total - ceil(round(total * share, 6))  # where there is anything, something goes
    for place, rows in enumerate(sorted(taken.values())):
        even = kept // (len(taken) - place)
        if rows > even:
            return even
        kept -= rows
    return max(taken.values(), default=0)


def _oldest_of(
    connection: duckdb.DuckDBPyConnection, tier: Tier, parameters: dict[str, float]
) -> int:
    """The moment before which about a share of a project's rows in a tier began."""
    for table, width_us, condition in TIERS[tier]:
        statement = load("oldest", table=table, condition=condition)
        found = connection.execute(statement, named(statement, parameters)).fetchall()[0][0]
        if found is not None:
            return int(found) + width_us
    raise AssertionError("it has rows")


def shrink(path: Path, most: int) -> tuple[int, int] | None:
    """Write a file anew that is too large and partly unused; its sizes before and after.

    Only while nobody has it open. Raises duckdb.Error and OSError, with nothing changed.
    """
    copy = path.with_name(f"{path.name}.smaller")
    copy.unlink(missing_ok=True)  # of a start that was killed
    before = path.stat().st_size if path.exists() else 0
    if before <= most:
        return None
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
