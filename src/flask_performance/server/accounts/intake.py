"""What the collector took and refused of a project, for its pages. Needs an app context.

It is some seconds old: the meter saves in that rhythm.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from .models import Project, Refusal, Usage, db, now

#: A quota that refused a batch this long ago (seconds) counts as full still.
FULL_FOR = 60


@dataclass(frozen=True)
class Refused:
    """Batches of a project that were refused for one reason."""

    reason: str
    batches: int
    since_us: int
    last_us: int
    held: int


@dataclass(frozen=True)
class Full:
    """A quota without room."""

    reason: str
    quota: int
    since_us: int
    #: Requests that wait in the apps for it, as far as they tried.
    held: int


@dataclass(frozen=True)
class Intake:
    """All of it."""

    this_month: int = 0
    #: Newest first.
    refused: tuple[Refused, ...] = ()
    full: Full | None = None

    @property
    def held(self) -> int:
        """Requests in batches that are over a quota: apps keep them and send them again."""
        return sum(one.held for one in self.refused)


def intake_of(project_id: int) -> Intake:
    """Nothing of a project that is gone."""
    project = db.session.get(Project, project_id)
    if project is None:
        return Intake()
    moment = now()
    month = db.session.get(Usage, (project_id, moment.strftime("%Y-%m")))
    rows = db.session.scalars(
        select(Refusal).where(Refusal.project_id == project_id).order_by(Refusal.last_at.desc())
    )
    refused = tuple(_refused(row) for row in rows)
    return Intake(month.requests if month else 0, refused, _full(project, refused, moment))


def _refused(row: Refusal) -> Refused:
    return Refused(row.reason, row.batches, _us(row.since), _us(row.last_at), row.held)


def _full(project: Project, refused: tuple[Refused, ...], moment: datetime) -> Full | None:
    quotas = {"month_quota": project.quota_month, "minute_quota": project.quota_minute}
    lately_us = _us(moment) - FULL_FOR * 1_000_000
    for one in refused:
        quota = quotas.get(one.reason)
        if quota is not None and (one.held or one.last_us >= lately_us):
            return Full(one.reason, quota, one.since_us, one.held)
    return None


def _us(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
