"""Room on the disk: what the server may take, what is left, and what people are told of it.

The disk budget counts what the data folder holds, without what the event store can use again. Where
it comes near the budget the oldest single requests go, of all projects up to the same moment, then
minutes, then hours, so that everybody looks back equally far.
"""

import contextlib
import json
import logging
import shutil
import sqlite3
import tempfile
import threading
import time
from datetime import UTC, datetime
from typing import Final

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
        self._deleted: dict[str, dict[str, int]] = {}
        with contextlib.suppress(OSError, ValueError):
            self._deleted = json.loads(settings.deleted.read_text(encoding="utf-8"))

    def notices(self) -> list[str]:
        """What an administrator has to know."""
        told = [self._trouble] if self._trouble else []
        if self._too_small:
            told.append(
                f"The disk budget of {size(self._settings.disk_budget or 0)} is too small: nothing "
                "is left that could be deleted. Raise FLASK_PERFORMANCE_DISK_BUDGET."
            )
        return told + self.deletions()

    def deletions(self) -> list[str]:
        """What members of a project have to know."""
        recent = time.time() - TOLD
        return [
            self._words(tier)
            for tier in TIERS
            if tier in self._deleted and self._deleted[tier]["at"] > recent
        ]

    def _words(self, tier: Tier) -> str:
        one = self._deleted[tier]
        before = datetime.fromtimestamp(one["before_us"] / 1e6, UTC)
        return (
            f"{WORDS[tier]} from before {before:%-d %B %Y, %H:%M} UTC were deleted to keep this "
            f"server within its disk budget of {size(one['budget'])}."
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
        deleted: dict[Tier, int] = {}
        for tier in TIERS:
            for share in (*[SHARE] * PASSES, 1.0):
                if self.taken() <= budget * END:
                    break
                before_us = self._store.thin(tier, share)
                if before_us is None:
                    break
                deleted[tier] = before_us
        self._too_small = self.taken() > budget * BEGIN
        for tier, before_us in deleted.items():
            self._tell(tier, before_us, budget)

    def _tell(self, tier: Tier, before_us: int, budget: int) -> None:
        self._deleted[tier] = {"before_us": before_us, "at": int(time.time()), "budget": budget}
        log.warning("%(words)s", {"words": self._words(tier)})
        with contextlib.suppress(OSError):
            self._settings.deleted.write_text(json.dumps(self._deleted), encoding="utf-8")
