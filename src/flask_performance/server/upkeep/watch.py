"""Room on the disk: what the server may take, what is left, and what people are told of it.

The disk budget counts what the data folder holds, without what the databases can use again. Where
it comes near the budget the oldest single requests go, of the projects that take the most room,
until all that lose some have equally much; then minutes, then hours. So a noisy project pays for
its noise itself.
"""

import contextlib
import logging
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from flask_performance.server.queue.journal_file import used_bytes
from flask_performance.server.settings import Settings
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.store.duckdb_room import TIERS, shrink
from flask_performance.server.store.rollups import Tier

log = logging.getLogger(__name__)

#: Of the budget: where deleting begins and ends. The file must not grow past it meanwhile.
BEGIN: Final = 0.9
END: Final = 0.8
#: Of a tier's rows that go at once.
SHARE: Final = 0.1
#: So often at most; then all of it goes.
PASSES: Final = 20
#: Less than this share of the disk, and less than this (bytes), is worth a warning.
LOW: Final = (0.1, 10 * 1000**3)
#: How often the log repeats it (seconds).
REPEAT: Final = 3600.0
#: How long people are told that something was deleted (seconds).
TOLD: Final = 7 * 24 * 3600.0
WORDS: Final[dict[Tier, str]] = {"raw": "Single requests", "minutes": "Minutes", "hours": "Hours"}


class Deleted(msgspec.Struct, frozen=True):
    """Of a tier of a project."""

    before_us: int
    #: When it was, and for which budget.
    at: int
    budget: int

    @property
    def before(self) -> str:
        return f"{datetime.fromtimestamp(self.before_us / 1e6, UTC):%-d %B %Y, %H:%M} UTC"


def make_smaller(settings: Settings) -> None:
    """At the start, before anything is open: give back what was deleted for the budget."""
    if settings.disk_budget is None:
        return
    try:
        sizes = shrink(settings.events, int(settings.disk_budget * BEGIN))
    except Exception as error:  # the file itself is untouched, and opening it will say what it is
        log.warning(
            "The event store's file stays as large as it is: %(error)s", {"error": str(error)}
        )
        return
    if sizes is not None:
        log.info(
            "The event store's file was written anew: %(before)s, now %(after)s",
            {"before": size(sizes[0]), "after": size(sizes[1])},
        )


def size(count: float) -> str:
    """Bytes for people."""
    for width, unit in ((1e9, "GB"), (1e6, "MB")):
        if count >= width:
            return f"{count / width:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"


class Watch:
    """Looks at the disk when its job says so, keeps the budget, and knows what to tell."""

    def __init__(self, settings: Settings, store: DuckDBStore) -> None:
        self._settings = settings
        self._store = store
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._said = 0.0
        self._too_small = False
        #: By tier and project.
        self._deleted: dict[Tier, dict[int, Deleted]] = {}
        with contextlib.suppress(OSError, ValueError, msgspec.ValidationError):
            self._deleted = msgspec.json.decode(
                settings.deleted.read_bytes(), type=dict[Tier, dict[int, Deleted]]
            )

    def notices(self) -> list[str]:
        """What an administrator has to know."""
        told = [self._trouble] if self._trouble else []
        if self._too_small:
            told.append(
                f"The disk budget of {size(self._settings.disk_budget or 0)} is too small: nothing "
                "is left that could be deleted. Raise FLASK_PERFORMANCE_DISK_BUDGET."
            )
        return told + [self._of_server(tier, list(lately)) for tier, lately in self._lately()]

    def deletions(self, project_id: int) -> list[str]:
        """What members of a project have to know."""
        return [
            f"{WORDS[tier]} from before {lately[project_id].before} were deleted to keep this "
            f"server within its disk budget of {size(lately[project_id].budget)}: the projects "
            "that take the most room give way first."
            for tier, lately in self._lately()
            if project_id in lately
        ]

    def _lately(self) -> Iterator[tuple[Tier, dict[int, Deleted]]]:
        recent = time.time() - TOLD
        for tier in TIERS:
            found = {id: one for id, one in self._deleted.get(tier, {}).items() if one.at > recent}
            if found:
                yield tier, found

    def _of_server(self, tier: Tier, projects: list[int]) -> str:
        last = max((self._deleted[tier][id] for id in projects), key=lambda one: one.before_us)
        whose = "the project" if len(projects) == 1 else f"the {len(projects)} projects"
        return (
            f"{WORDS[tier]} of {whose} with the most were deleted, from before {last.before} at "
            f"the latest, to keep this server within its disk budget of {size(last.budget)}."
        )

    def look(self) -> None:
        """Timed work."""
        self._trouble = self._look_at_disk()
        if self._trouble and time.monotonic() > self._said + REPEAT:
            log.warning("%(trouble)s", {"trouble": self._trouble})
            self._said = time.monotonic()
        elif not self._trouble:
            self._said = -REPEAT
        if self._settings.disk_budget is not None:
            self._keep_budget(self._settings.disk_budget)

    def _look_at_disk(self) -> str | None:
        folder = self._settings.data
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(4096))
                file.flush()
        except OSError as error:
            return (
                f"This server cannot write into {folder} ({error.strerror}): apps hear 503 and "
                "keep what they can. Mend that; it goes on by itself."
            )
        usage = shutil.disk_usage(folder)
        if usage.free < min(LOW[0] * usage.total, LOW[1]):
            return (
                f"The disk of {folder} has {size(usage.free)} left of {size(usage.total)}. When it "
                "is full, apps hear 503: make room, or set FLASK_PERFORMANCE_DISK_BUDGET."
            )
        return None

    def taken(self) -> int:
        """What the data folder takes for good (bytes).

        What a database can use again does not count: after a backlog the journal is an empty file
        of gigabytes for a while, and nobody's history is to go for it.
        """
        settings = self._settings
        databases = (settings.events.name, settings.journal.name)
        taken = self._store.used_bytes()
        with contextlib.suppress(sqlite3.Error):
            taken += used_bytes(settings.journal) if settings.journal.exists() else 0
        for file in settings.data.glob("*"):
            with contextlib.suppress(OSError):
                if file.is_file() and not file.name.startswith(databases):
                    taken += file.stat().st_size
        return taken

    def _keep_budget(self, budget: int) -> None:
        if self.taken() <= budget * BEGIN:
            self._too_small = False
            return
        deleted: dict[Tier, dict[int, int]] = {}
        for tier in TIERS:
            for share in (*[SHARE] * PASSES, 1.0):
                if self.taken() <= budget * END:
                    break
                thinned = self._store.thin(tier, share)
                if not thinned:
                    break
                deleted.setdefault(tier, {}).update(thinned)
        self._too_small = self.taken() > budget * BEGIN
        for tier, before_us in deleted.items():
            self._tell(tier, before_us, budget)

    def _tell(self, tier: Tier, before_us: dict[int, int], budget: int) -> None:
        now = int(time.time())
        news = {id: Deleted(us, now, budget) for id, us in before_us.items()}
        self._deleted[tier] = self._deleted.get(tier, {}) | news
        log.warning("%(words)s", {"words": self._of_server(tier, list(news))})
        with contextlib.suppress(OSError):
            self._settings.deleted.write_bytes(msgspec.json.encode(self._deleted))
