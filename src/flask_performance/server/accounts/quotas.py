"""How many requests a project may send: the counts of this minute and this month, in memory.

A quota is held against what the collector accepted, repeats included: it guards the server. Minutes
and months are UTC's.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from .keys import KnownKey

#: Over the month's quota a client asks again after this long at most (seconds): it may be raised.
LONGEST_WAIT = 3600

#: Processes of a project that may speak in a day (UTC's). Whoever holds a DSN may make them up, and
#: the platform remembers each; who recycles workers comes nowhere near.
MOST_INSTANCES = 20_000
DAY = 24 * 3600

QuotaReason = Literal["minute_quota", "month_quota", "instances"]


class Over(NamedTuple):
    """A quota that leaves no room for a batch, and in how many seconds it does again."""

    reason: QuotaReason
    quota: int
    seconds: int


class Shared(NamedTuple):
    """A minute of a project that several collectors accept requests of."""

    minute: int
    known: int = 0
    elsewhere: int = 0


class Month(NamedTuple):
    """A calendar month: its name and its two ends (seconds since the epoch)."""

    name: str
    start: float
    end: float

    @classmethod
    def at(cls, now: float) -> "Month":
        start = datetime.fromtimestamp(now, UTC).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        year, month = divmod(start.year * 12 + start.month, 12)
        end = start.replace(year=year, month=month + 1)
        return cls(start.strftime("%Y-%m"), start.timestamp(), end.timestamp())


class Quotas:
    """Counts by project. Not for threads: the meter that owns it has a lock."""

    def __init__(self) -> None:
        self._month = Month("", 0.0, 0.0)
        #: Of a project: a minute (since the epoch) and what was accepted in it.
        self._minutes: dict[int, tuple[int, int]] = {}
        #: Of the projects with a quota a minute, in the minute that they spoke in last: how much of
        #: their count others know, and what others accepted.
        self._shared: dict[int, Shared] = {}
        #: What is in the database, on the way to it, and only here: by project and month's name.
        self._saved: Mapping[tuple[int, str], int] = {}
        self._saving: Counter[tuple[int, str]] = Counter()
        self._fresh: Counter[tuple[int, str]] = Counter()

    def over(self, key: KnownKey, requests: int, now: float) -> Over | None:
        """The quota that has no room for so many requests; the month's is named first."""
        if key.quota_month is not None:
            month = self.month(now)
            if not _fits(self.in_month(key.project_id, now), requests, key.quota_month):
                wait = min(LONGEST_WAIT, math.ceil(month.end - now))
                return Over("month_quota", key.quota_month, wait)
        if key.quota_minute is not None:
            minute, second = divmod(int(now), 60)
            here = self._in_minute(key.project_id, minute)
            if not _fits(
                here + self._elsewhere(key.project_id, minute), requests, key.quota_minute
            ):
                return Over("minute_quota", key.quota_minute, 60 - second)
        return None

    def add(self, project_id: int, requests: int, now: float) -> None:
        """Count requests; a negative number takes back what was not kept after all."""
        minute = int(now) // 60
        self._minutes[project_id] = (minute, self._in_minute(project_id, minute) + requests)
        self._fresh[project_id, self.month(now).name] += requests

    def month(self, now: float) -> Month:
        if not self._month.start <= now < self._month.end:
            self._month = Month.at(now)
        return self._month

    def in_month(self, project_id: int, now: float) -> int:
        key = (project_id, self.month(now).name)
        return self._saved.get(key, 0) + self._saving[key] + self._fresh[key]

    def _in_minute(self, project_id: int, minute: int) -> int:
        of, count = self._minutes.get(project_id, (minute, 0))
        return max(0, count) if of == minute else 0

    def _elsewhere(self, project_id: int, minute: int) -> int:
        shared = self._shared.get(project_id)
        if shared is None or shared.minute != minute:
            shared = self._shared[project_id] = Shared(minute)
        return shared.elsewhere

    # -- between several collectors ---------------------------------------------------------------

    def of_this_minute(self, now: float) -> dict[tuple[int, int], int]:
        """By project and minute: what was accepted here of those that have a quota a minute."""
        minute = int(now) // 60
        self._shared = {id: one for id, one in self._shared.items() if one.minute == minute}
        return {(id, minute): self._in_minute(id, minute) for id in self._shared}

    def known_elsewhere(self, project_id: int) -> int:
        """How much of this project's minute is in the database."""
        return self._shared[project_id].known

    def heard(self, here: Mapping[tuple[int, int], int], all: Mapping[int, int]) -> None:
        """These counts are in the database now, and add up to so much with those of others."""
        for (project_id, minute), requests in here.items():
            elsewhere = max(0, all.get(project_id, requests) - requests)
            self._shared[project_id] = Shared(minute, requests, elsewhere)

    # -- to and from the database -----------------------------------------------------------------

    def take(self) -> dict[tuple[int, str], int]:
        """What was counted since the last time, to be saved; it still counts meanwhile."""
        self._saving, self._fresh = self._fresh, Counter()
        return {key: requests for key, requests in self._saving.items() if requests}

    def saved(self, totals: Mapping[tuple[int, str], int]) -> None:
        """The totals of this month as they are in the database now."""
        self._saved, self._saving = totals, Counter()

    def put_back(self) -> None:
        """What was taken could not be saved."""
        self._fresh.update(self._saving)
        self._saving = Counter()


class Instances:
    """Which processes of a project spoke today, in memory. Not for threads, as `Quotas`.

    A restart forgets them: the day begins anew then.
    """

    def __init__(self) -> None:
        self._day = 0
        self._today: defaultdict[int, set[str]] = defaultdict(set)

    def over(self, project_id: int, instance: str, now: float) -> Over | None:
        """Take an instance in, unless it is new and there are too many already."""
        day, second = divmod(int(now), DAY)
        if day != self._day:
            self._day = day
            self._today.clear()
        known = self._today[project_id]
        if instance not in known:
            if len(known) >= MOST_INSTANCES:
                return Over("instances", MOST_INSTANCES, min(LONGEST_WAIT, DAY - second))
            known.add(instance)
        return None


def _fits(taken: int, requests: int, quota: int) -> bool:
    """A batch is taken whole or not at all; one larger than the quota when nothing came before it.

    Otherwise it could never be sent. A batch without requests only reports, and always fits.
    """
    return taken + requests <= quota or taken == 0 or requests == 0
