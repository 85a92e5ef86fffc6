"""The dead letters of a journal: acknowledged envelopes that could not be stored, with the reason.

Every call has a connection of its own, beside those that the journal works with.
"""

import contextlib
import json
import logging
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import msgspec

log = logging.getLogger(__name__)

#: What dead letters may take (bytes of bodies); then the oldest go, and the log says so.
MAX_BURIED: Final = 256 * 1024**2
#: The statements on chosen letters; null chooses all.
DELETE: Final = """
    delete from dead_letter where ?1 is null or id in (select value from json_each(?1))
"""
MEASURE: Final = """
    select count(*), coalesce(sum(length(body)), 0) from dead_letter
    where ?1 is null or id in (select value from json_each(?1))
"""
#: The oldest, as long as what is newer takes all the room there is, or more.
TRIM: Final = """
    delete from dead_letter where id in (
        select id from (
            select id, sum(length(body)) over (order by id desc) as size from dead_letter
        ) where size > ?1
    )
"""
#: Of projects that are gone: all but those in a list, of those up to an id.
DELETE_LEFT: Final = """
    delete from dead_letter
    where project_id <= ?2 and project_id not in (select value from json_each(?1))
"""
ENTER_AGAIN: Final = """
    insert into entry (project_id, received_us, gzip, body, crc, counted)
    select project_id, received_us, gzip, body, crc, counted from dead_letter
    where ?1 is null or id in (select value from json_each(?1)) order by id
"""


class DeadLetter(msgspec.Struct, frozen=True):
    """One of them, without its body."""

    id: int
    project_id: int
    received_us: int
    size: int
    reason: str
    #: How many requests of it the ledger counts as dropped.
    counted: int


def count(journal: Path) -> int:
    with _opened(journal) as connection:
        return int(connection.execute("select count(*) from dead_letter").fetchone()[0])


def size(journal: Path) -> int:
    """Bytes of all bodies."""
    with _opened(journal) as connection:
        return int(connection.execute(MEASURE, [None]).fetchone()[1])


def trim(journal: Path, most: int) -> tuple[int, int]:
    """Forget the oldest until all take at most so many bytes; how many, and what the rest takes."""
    with _opened(journal) as connection:
        connection.execute("begin immediate")
        deleted = connection.execute(TRIM, [most]).rowcount
        rest = connection.execute(MEASURE, [None]).fetchone()[1]
        connection.execute("commit")
        return deleted, int(rest)


def tell_trimmed(count: int) -> None:
    """Say in the log that so many had to be forgotten, if any."""
    if count:
        log.error(
            "There are more dead letters than may be kept: the oldest %(count)d were deleted. The "
            "ledger goes on counting their requests as dropped.",
            {"count": count},
        )


def delete_left(journal: Path, projects: Collection[int], greatest: int) -> int:
    """Forget those of deleted projects: which there are, and the greatest id that there ever was;
    how many."""
    with _opened(journal) as connection:
        return connection.execute(DELETE_LEFT, [_chosen(projects), greatest]).rowcount


def letters(journal: Path) -> list[DeadLetter]:
    """All, the oldest first."""
    with _opened(journal) as connection:
        rows = connection.execute(
            "select id, project_id, received_us, length(body), reason, counted "
            "from dead_letter order by id"
        )
        return [DeadLetter(*row) for row in rows]


def body(journal: Path, id: int) -> tuple[bool, bytes] | None:
    """Whether it is gzip, and what was posted; None where there is no such letter."""
    with _opened(journal) as connection:
        row = connection.execute("select gzip, body from dead_letter where id = ?", [id]).fetchone()
        return None if row is None else (bool(row[0]), row[1])


def delete(journal: Path, ids: Collection[int] | None) -> int:
    """Forget some (None: all) for good; how many there were."""
    with _opened(journal) as connection:
        return connection.execute(DELETE, [_chosen(ids)]).rowcount


def replay(journal: Path, ids: Collection[int] | None) -> tuple[int, int]:
    """Turn some (None: all) into entries at the end, each once: how many, and their bytes.

    Each gets a new position, and takes with it what the ledger counts of it.
    """
    chosen = [_chosen(ids)]
    with _opened(journal) as connection:
        connection.execute("begin immediate")
        letters, size = connection.execute(MEASURE, chosen).fetchone()
        connection.execute(ENTER_AGAIN, chosen)
        connection.execute(DELETE, chosen)
        connection.execute("commit")
        return int(letters), int(size)


def _chosen(ids: Collection[int] | None) -> str | None:
    return None if ids is None else json.dumps(sorted(ids))


@contextlib.contextmanager
def _opened(journal: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(
        sqlite3.connect(journal, isolation_level=None, timeout=10)
    ) as connection:
        connection.execute("pragma synchronous = full")
        yield connection
