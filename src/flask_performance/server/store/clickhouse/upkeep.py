"""Timed work on ClickHouse: rolling up, forgetting, cleaning; and deleting projects."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from flask_performance.server.store.base import DAY_US, LEDGER_DAYS, Retention
from flask_performance.server.store.details import (
    DETAILS,
    MOST_CONSUMERS,
    MOST_PATHS,
    WIDTH_US,
    Detail,
)
from flask_performance.server.store.rollups import BY_OPERATION, OPERATIONS, ROLLUPS, TOGETHER

from .attempts import A_SECOND, COPIED_BELOW, ROLL, Attempts, State, day_of, number_now
from .layout import Layout
from .partitions import DAILY, drop_days
from .queries import VAIN, filled, statement

#: What is coarser than minutes is made of them so often (seconds).
COARSE: Final = 600
#: Blocks that began within this time may still come, whatever was stored after them.
LATE: Final = 2 * 120 * A_SECOND
#: Days that attempts are remembered: a queue hands a block out again within this time.
REMEMBERED: Final = 8
#: How long it is believed that single requests are there from the same moment on (seconds).
BELIEVED: Final = 5.0
FINEST, *COARSER = ROLLUPS
#: What the statements that make the details need to know.
DETAIL_WORDS: Final[dict[Detail, dict[str, str]]] = {
    "measures": {},
    "consumers": {"most": str(MOST_CONSUMERS)},
    "unmatched": {
        "most": str(MOST_PATHS),
        "vain": VAIN.format("global in (select id from operation where route = '')"),
    },
}
TABLES_OF_A_PROJECT: Final = (
    *(rollup.table for rollup in ROLLUPS), *DETAILS.values(), "request", "receipt", "dropped",
    "process", "route", "called", "operation", "instance", "raw_from",
)  # fmt: skip


class Upkeep:
    """What changes a store beside `append`."""

    def __init__(self, layout: Layout, attempts: Attempts) -> None:
        self._layout = layout
        self._engine = layout.engine
        self._attempts = attempts
        self._rolling = threading.Lock()
        self._raw_from: dict[int, tuple[float, int]] = {}

    def note_changes(self, project_ids: Collection[int]) -> None:
        if project_ids:
            ids = sorted(project_ids)
            self._engine.insert("revision", {"project_id": ids, "changes": [1] * len(ids)})

    # -- rollups ---------------------------------------------------------------------------------

    def roll(self) -> None:
        """Minutes first, then what is coarser, when it is time."""
        with self._rolling:
            state = self._attempts.state()
            if state.fresh:
                self._roll(self._roll_minutes)
                state = self._attempts.state()
            age = (state.newest - state.upto) / A_SECOND
            if state.minutes > state.upto and (age > COARSE or not state.coarse):
                self._roll(self._roll_coarse)

    def _roll(self, work: Callable[[int, State], dict[str, Any]]) -> None:
        attempt = self._attempts.begin_roll()
        if attempt is None:
            return
        state = self._attempts.state()
        values = {"minutes": state.minutes, "coarse": state.coarse, "upto": state.upto}
        self._attempts.commit(attempt, ROLL, **(values | work(attempt, state)))

    def _roll_minutes(self, attempt: int, state: State) -> dict[str, Any]:
        parameters = state.parameters | {"roll": attempt, "day": f"{day_of(attempt)}"}
        for name in ("roll_minute", "roll_called"):
            self._engine.do(filled(statement(name), parameters))
        covered = [one.attempt for one in state.fresh]
        oldest = min(state.unfinished, default=attempt)
        return {"covered": covered, "minutes": attempt, "low": min(oldest, attempt - LATE) - 1}

    def _roll_coarse(self, attempt: int, state: State) -> dict[str, Any]:
        parameters = state.parameters | {"roll": attempt, "day": f"{day_of(attempt)}"}
        for rollup in COARSER:
            keys = BY_OPERATION if rollup in OPERATIONS else TOGETHER
            text = statement(
                "roll_coarse", table=rollup.table, width=str(rollup.width_us), keys=keys
            )
            self._engine.do(filled(text, parameters))
        for detail, words in DETAIL_WORDS.items():
            text = statement(f"roll_{detail}", covered=statement("covered"), **words)
            self._engine.do(filled(text, parameters | {"width_us": WIDTH_US}))
        return {"coarse": attempt, "upto": state.minutes}

    # -- forgetting ------------------------------------------------------------------------------

    def forget(self, now_us: int, kept: Mapping[int, Retention]) -> None:
        with self._rolling:  # the details are made of single requests
            state = self._attempts.state()
            if state.minutes > state.upto:
                self._roll(self._roll_coarse)
        waiting = self._drop_days(now_us, kept)
        for project_id, retention in kept.items():
            state = self._attempts.state()
            if self._forget_requests(project_id, now_us, retention, state, waiting):
                self.note_changes({project_id})

    def _drop_days(self, now_us: int, kept: Mapping[int, Retention]) -> dict[str, tuple[str, ...]]:
        """Drop what is too old as a whole; of each table the days that will be so soon."""
        state = self._attempts.state()
        waits = {day_of(one) for one in (*state.unfinished, *(one.attempt for one in state.fresh))}
        if state.minutes > state.upto:
            # Some minutes are in nothing coarser yet.
            length = (day_of(state.minutes) - day_of(state.upto)).days
            waits |= {day_of(state.minutes) - timedelta(days=place) for place in range(length + 1)}
        waiting = {}
        for table in DAILY:
            days = (
                (id, one.raw_days if table == "request" else one.minutes_days)
                for id, one in kept.items()
            )
            before_us = {id: now_us - days_kept * DAY_US for id, days_kept in days}
            dropped = drop_days(self._layout, table, before_us, waits)
            if table == "request":
                for project_id in dropped.projects:
                    self._note_raw_from(project_id, before_us[project_id])
            self.note_changes(dropped.projects)
            waiting[table] = dropped.waiting
        return waiting

    def _forget_requests(
        self,
        project_id: int,
        now_us: int,
        retention: Retention,
        state: State,
        waiting: Mapping[str, tuple[str, ...]],
    ) -> bool:
        """Whether there was anything to delete."""
        mine = f"project_id = {project_id}"
        days_of = {"minutes": retention.minutes_days, "hours": retention.hours_days}
        raw_us = now_us - retention.raw_days * DAY_US
        open_ = (*(one.attempt for one in state.fresh), *state.unfinished)
        rolled = filled(
            "(bitShiftRight(id, 20) < $copied or bitShiftRight(id, 20) <= $newest) "
            "and bitShiftRight(id, 20) not in $open",
            {"copied": COPIED_BELOW, "newest": state.newest, "open": open_},
        )
        old = f"{mine} and start_us < {raw_us}{_but(waiting['request'])}"
        changed = self._delete("request", f"{old} and {rolled}")
        if changed:
            self._note_raw_from(project_id, raw_us)
        for rollup in ROLLUPS:
            # A step is kept until all of it is too old, and minutes until hours have them. What has
            # a partition a month is deleted from once a day.
            whole_us = max(rollup.width_us, 0 if rollup.table in DAILY else DAY_US)
            before_us = (now_us - days_of[rollup.tier] * DAY_US) // whole_us * whole_us
            upto = f" and roll <= {state.upto}" if rollup is FINEST else ""
            but = _but(waiting.get(rollup.table, ()))
            changed |= self._delete(rollup.table, f"{mine} and start_us < {before_us}{upto}{but}")
        minutes_us = (now_us - retention.minutes_days * DAY_US) // DAY_US * DAY_US
        for table in DETAILS.values():
            changed |= self._delete(table, f"{mine} and start_us < {minutes_us}")
        changed |= self._delete("process", f"{mine} and at_us < {minutes_us}")
        ledger_us = now_us - max(retention.hours_days, LEDGER_DAYS) * DAY_US
        return self._forget_silent(project_id, ledger_us) | changed

    def _forget_silent(self, project_id: int, before_us: int) -> bool:
        """Delete what was said by instances, and routes of apps, that are silent since then."""
        changed = False
        for table, id, which in (
            ("receipt", "instance_id", "silent_instances"),
            ("route", "id", "silent_routes"),
        ):
            asked = filled(statement(which), {"project_id": project_id, "before_us": before_us})
            [ids] = self._engine.ask(asked)[1]
            if ids:
                silent = filled(
                    f"project_id = $project_id and {id} in $ids",
                    {"project_id": project_id, "ids": tuple(ids)},
                )
                changed |= self._delete(table, silent)
                if table == "receipt":
                    changed |= self._delete("dropped", silent)
        return changed

    def _delete(self, table: str, condition: str) -> bool:
        return self._attempts.delete_rows(table, condition)

    def _note_raw_from(self, project_id: int, from_us: int) -> None:
        self._engine.insert("raw_from", {"project_id": [project_id], "from_us": [max(0, from_us)]})
        self._raw_from.pop(project_id, None)

    def raw_from(self, project_ids: Sequence[int]) -> int:
        """Single requests of one of these projects from before are deleted."""
        now = time.monotonic()
        unknown = [id for id in project_ids if self._raw_from.get(id, (0.0, 0))[0] < now]
        if unknown:
            asked = filled(statement("raw_from"), {"projects": unknown})
            known = dict(zip(*self._engine.ask(asked)[1], strict=True))
            self._raw_from |= {id: (now + BELIEVED, known.get(id, 0)) for id in unknown}
        return max((self._raw_from[id][1] for id in project_ids), default=0)

    def delete_project(self, project_id: int) -> None:
        for table in TABLES_OF_A_PROJECT:
            self._delete(table, f"project_id = {project_id}")
        self._raw_from.pop(project_id, None)
        self.note_changes({project_id})

    # -- cleaning --------------------------------------------------------------------------------

    def clean(self) -> None:
        """Delete what dead attempts left, and attempts that nobody asks for any more."""
        self._attempts.clean()
        old = number_now() - REMEMBERED * 86_400 * A_SECOND
        for table in ("begun", "commit"):
            self._delete(table, f"attempt < {old} and attempt < {self._attempts.state().upto}")


def _but(days: tuple[str, ...]) -> str:
    """A condition: not what was stored on these days."""
    return "".join(f" and day <> '{day}'" for day in days)
