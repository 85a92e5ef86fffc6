"""What people set for a project, checked. Every function needs an app context."""

from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from sqlalchemy import select

from . import audit
from .models import OperationApdex, Project, db
from .names import RefusedError
from .projects import commit_name, free_name

#: Apdex thresholds lie between a millisecond and an hour (microseconds).
APDEX_US: Final = (1_000, 3_600_000_000)
#: Thresholds of operations that a project may have.
MOST_OPERATIONS: Final = 200
#: Nothing is kept for longer (days).
LONGEST_DAYS: Final = 3_650
#: More requests than any quota needs: it fits the table and a screen.
LARGEST_QUOTA: Final = 10**12
#: How long the server keeps what a project does not say (days).
KEEP_RAW: Final = 14
KEEP_MINUTES: Final = 90
KEEP_HOURS: Final = 730


@dataclass(frozen=True)
class Limits:
    """Days that data is kept, and requests that are taken. None: the server's, no limit."""

    keep_raw_days: int | None = None
    keep_minutes_days: int | None = None
    keep_hours_days: int | None = None
    quota_minute: int | None = None
    quota_month: int | None = None


@dataclass(frozen=True)
class Kept:
    """Days that a project's data is kept, by tier."""

    raw_days: int
    minutes_days: int
    hours_days: int


@cache
def time_zones() -> tuple[str, ...]:
    """IANA names as people know them, sorted: without the aliases and files beside them."""
    return tuple(sorted(name for name in available_timezones() if "/" in name or name == "UTC"))


def change(project: Project, name: str, time_zone: str | None, apdex_us: int) -> None:
    """Raises RefusedError."""
    name = free_name(project.team, name, project)
    apdex_us = checked_apdex(apdex_us)
    if time_zone is not None and time_zone not in time_zones():
        raise RefusedError(
            f"{time_zone!r} is no time zone. Choose one like Europe/Berlin, or leave it empty."
        )
    said = project.name if project.name == name else f"{project.name}, now {name}"
    audit.record(project.team, "project.change", said)
    project.name, project.time_zone, project.apdex_us = name, time_zone, apdex_us
    commit_name(project.team, name)


def checked_apdex(us: int) -> int:
    """Raises RefusedError."""
    least, most = APDEX_US
    if not least <= us <= most:
        raise RefusedError("An Apdex threshold lies between 1 ms and 3,600,000 ms (an hour).")
    return us


def set_operation_apdex(project: Project, method: str, route: str, us: int) -> None:
    """Give an operation a threshold of its own. Raises RefusedError."""
    us = checked_apdex(us)
    found = db.session.get(OperationApdex, (project.id, method, route))
    if found is None:
        if len(project.operations) >= MOST_OPERATIONS:
            raise RefusedError(
                f"{MOST_OPERATIONS} operations have their own threshold, which is the most; "
                "remove one first."
            )
        if not method or len(method) > 16 or len(route) > 512:
            raise RefusedError("Choose an operation that the project has.")
        found = OperationApdex(method=method, route=route)
        project.operations.append(found)
    found.apdex_us = us
    audit.record(project.team, "project.change", f"Apdex of {method} {route} in {project.name}")
    db.session.commit()


def remove_operation_apdex(project: Project, method: str, route: str) -> None:
    """The project's threshold applies again. Twice is once."""
    found = db.session.get(OperationApdex, (project.id, method, route))
    if found is not None:
        project.operations.remove(found)
        said = f"Apdex of {method} {route} in {project.name}"
        audit.record(project.team, "project.change", said)
        db.session.commit()


def set_limits(project: Project, limits: Limits) -> None:
    """Raises RefusedError."""
    _check(limits)
    for name, value in vars(limits).items():
        setattr(project, name, value)
    audit.record(project.team, "project.limits", project.name)
    db.session.commit()


def _check(limits: Limits) -> None:
    for days in (limits.keep_raw_days, limits.keep_minutes_days, limits.keep_hours_days):
        if days is not None and not 1 <= days <= LONGEST_DAYS:
            raise RefusedError(f"Data is kept for 1 to {LONGEST_DAYS:,} days.")
    for quota in (limits.quota_minute, limits.quota_month):
        if quota is not None and not 1 <= quota <= LARGEST_QUOTA:
            raise RefusedError(f"A quota lies between 1 and {LARGEST_QUOTA:,} requests.")
    kept = kept_by(limits)
    if not kept.raw_days <= kept.minutes_days <= kept.hours_days:
        raise RefusedError(
            "What is coarser is kept for at least as long: single requests for "
            f"{kept.raw_days} days, minutes for {kept.minutes_days}, hours for {kept.hours_days} "
            "cannot be. An empty field counts as the server's days."
        )


def kept_by(limits: Limits | Project) -> Kept:
    """With the server's days where nothing is set."""
    return Kept(
        limits.keep_raw_days or KEEP_RAW,
        limits.keep_minutes_days or KEEP_MINUTES,
        limits.keep_hours_days or KEEP_HOURS,
    )


def kept_by_all() -> dict[int, Kept]:
    """How long every project's data is kept."""
    return {project.id: kept_by(project) for project in db.session.scalars(select(Project))}
