"""Days that are too old as a whole: their partition is dropped, which costs nothing.

A partition holds what was stored on a day, of all projects. Rows of one that will be too old as a
whole within a day wait for that; only where projects keep their data for different times are rows
deleted one by one, which writes the rest of the partition anew.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

from flask_performance.server.store.base import DAY_US, MINUTE_US
from flask_performance.server.store.rollups import ROLLUPS

from .layout import Layout
from .queries import filled, statement

#: Tables with a partition a day.
DAILY: Final = ("request", *(one.table for one in ROLLUPS if one.width_us == MINUTE_US))
FIRST_DAY: Final = date(1970, 1, 1)


class Dropped(NamedTuple):
    """What became of a table's partitions."""

    #: Those that had rows in a partition that is dropped.
    projects: set[int]
    #: Days whose rows wait until all of them are too old.
    waiting: tuple[str, ...]


def drop_days(
    layout: Layout, table: str, before_us: Mapping[int, int], held: Collection[date]
) -> Dropped:
    """Drop the days in which all of a table's rows began before what their projects keep: those of
    a project that is not named are kept. `held`: days that must stay for another reason."""
    if not before_us:
        return Dropped(set(), ())
    # Who sends late, stores on a later day than that of the request; hardly anything comes before.
    upto = FIRST_DAY + timedelta(days=max(0, max(before_us.values())) // DAY_US + 1)
    asked = filled(statement("ageing", table=table), {"upto_day": f"{upto}"})
    days: defaultdict[date, dict[int, int]] = defaultdict(dict)
    for number, project_id, newest_us in zip(*layout.engine.ask(asked)[1], strict=True):
        days[FIRST_DAY + timedelta(days=number)][project_id] = newest_us
    projects: set[int] = set()
    waiting = []
    for day, newest in days.items():
        left_us = max(newest_us - before_us.get(id, -(2**63)) for id, newest_us in newest.items())
        if left_us < 0 and day not in held:
            for shard in layout.shards:
                shard.do(f"alter table {table}{layout.local} drop partition id '{day:%Y%m%d}'")
            projects |= newest.keys()
        elif 0 <= left_us < DAY_US:
            waiting.append(f"{day}")
    return Dropped(projects, tuple(waiting))
