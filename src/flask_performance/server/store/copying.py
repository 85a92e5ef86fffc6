"""`copy-store`: everything that an embedded store holds goes into ClickHouse.

Day by day, table by table, in an order that stays: what was written of a day that is not noted as
done is deleted and written anew, so the copy may be killed anywhere and started again. A day that
has changed since it was copied is copied again; one that is gone goes there, too.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from typing import Final

from .clickhouse.copying import Intake
from .duckdb_copying import PARTS, Part, Source, Unit

#: Pieces of rows that wait to be written while the next ones are read.
AHEAD: Final = 2
FIRST_DAY: Final = date(1970, 1, 1)
#: Sums are compared by their last bits: that is how ClickHouse adds.
BITS: Final = 2**64
#: So many differences are told.
TOLD: Final = 20


class OtherInstallationError(Exception):
    """What is in ClickHouse does not come from this store."""


def copy(
    source: Source,
    intake: Intake,
    name: str,
    begun: Callable[[int, int], None],
    update: Callable[[int], None],
) -> None:
    """Copy what is not there yet. `begun` hears how many rows there are, and how many of them are
    there; `update`, how many more. Raises OtherInstallationError and StoreUnavailableError."""
    _check_target(intake, name)
    plan = {part: source.units(part) for part in PARTS}
    done = {part: intake.done(part.table) for part in PARTS}
    rows = sum(unit.rows for units in plan.values() for unit in units.values())
    there = sum(
        unit.rows
        for part, units in plan.items()
        for day, unit in units.items()
        if done[part].get(day) == unit.mark
    )
    begun(rows, there)
    _copy_names(source, intake)
    with ThreadPoolExecutor(1) as writer:
        for part, units in plan.items():
            for day in sorted(done[part].keys() - units.keys()):
                intake.clear(part.table, part.time, day)
                intake.note(part.table, day, "", 0)
            for day, unit in units.items():
                if done[part].get(day) != unit.mark:
                    _copy_day(source, intake, writer, part, day, unit, update)
    intake.note_changes({key.project_id for key in source.instances.values()})


def _check_target(intake: Intake, name: str) -> None:
    """Two installations in one database would take each other's projects for their own."""
    found = intake.source()
    if found is None and intake.is_empty():
        intake.note_source(name)
    elif found is None:
        raise OtherInstallationError(
            "The database holds requests already that no copy brought: name an empty one."
        )
    elif found != name:
        raise OtherInstallationError(
            "The database holds a copy of another data folder: name an empty one."
        )


def _copy_names(source: Source, intake: Intake) -> None:
    intake.write_operations(source.operations)
    intake.write_instances(source.instances, source.first_us())
    intake.write_routes(source.declared())
    intake.write_called(source.called())
    intake.write_raw_from(source.raw_from())


def _copy_day(
    source: Source,
    intake: Intake,
    writer: ThreadPoolExecutor,
    part: Part,
    day: int,
    unit: Unit,
    update: Callable[[int], None],
) -> None:
    """A piece is written while the next one is read."""
    intake.clear(part.table, part.time, day)
    waiting: deque[tuple[int, Future[None]]] = deque()
    for rows, piece in source.pieces(part, day):
        waiting.append((rows, writer.submit(intake.write, part.table, day, piece)))
        while len(waiting) > AHEAD:
            _written(waiting, update)
    while waiting:
        _written(waiting, update)
    intake.note(part.table, day, unit.mark, unit.rows)


def _written(waiting: deque[tuple[int, Future[None]]], update: Callable[[int], None]) -> None:
    rows, written = waiting.popleft()
    written.result()
    update(rows)


def differences(source: Source, intake: Intake) -> list[str]:
    """What is not there as it is here, by table, project and day; empty: nothing."""
    found = []
    for part in PARTS:
        here = source.counts(part)
        there = intake.counts(part.table, part.time, part.total)
        for key in sorted(here.keys() | there.keys()):
            (rows, total), (copied, sum_) = here.get(key, (0, 0)), there.get(key, (0, 0))
            if rows != copied or (total - sum_) % BITS:
                project_id, day = key
                found.append(
                    f"{part.table} of project {project_id}, {_named(day)}: {rows:,} rows here "
                    f"({part.total} {total:,}), {copied:,} there ({sum_:,})"
                )
    more = len(found) - TOLD
    return found[:TOLD] + ([f"and {more:,} more"] if more > 0 else [])


def _named(day: int) -> str:
    try:
        return f"{FIRST_DAY + timedelta(days=day)}"
    except OverflowError:
        return f"day {day}"
