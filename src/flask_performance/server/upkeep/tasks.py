"""The tasks that commands ask for. Each is a generator of answers; see `control`."""

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from flask_performance.server.queue import dead_letters
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings
from flask_performance.server.store.base import EventStore, StoreUnavailableError
from flask_performance.server.store.duckdb import DuckDBStore

from . import snapshot
from .errors import UpkeepError

__all__ = ["Tasks", "UpkeepError"]

#: Folders of copies that a command takes away; one that was left behind is deleted at start.
SCRATCH: Final = "scratch-"


class Tasks:
    """On the parts of a running platform, or on those it opens itself when they are needed."""

    def __init__(
        self,
        settings: Settings,
        store: EventStore | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._settings = settings
        self._serving = store is not None
        self._closing = contextlib.ExitStack()
        self._copying = threading.Lock()
        if store is not None:
            self.__dict__["_store"] = store
        if journal is not None:
            self.__dict__["_journal"] = journal
        for left in settings.data.glob(f"{SCRATCH}*"):
            shutil.rmtree(left, ignore_errors=True)

    @cached_property
    def _store(self) -> EventStore:
        return self._closing.enter_context(contextlib.closing(DuckDBStore(self._settings.events)))

    @cached_property
    def _journal(self) -> Journal:
        return self._closing.enter_context(contextlib.closing(Journal(self._settings.journal)))

    def close(self) -> None:
        self._closing.close()

    def run(self, task: str, arguments: dict[str, Any]) -> Generator[dict[str, Any]]:
        """Raises UpkeepError where there is no such task, and as the task does."""
        known: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
            "snapshot": self._snapshot,
            "export": self._export,
            "dead-letters": self._dead_letters,
            "replay": self._replay,
            "delete": self._delete,
        }
        found = known.get(task)
        if found is None:
            raise UpkeepError(
                f"The server does not know how to do {task!r}; it is of another version."
            )
        try:
            yield from found(**arguments)
        except StoreUnavailableError as error:
            raise UpkeepError(f"The event store cannot do it now: {error}") from error

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A folder on the data's disk, deleted afterwards; one at a time."""
        if not self._copying.acquire(blocking=False):
            raise UpkeepError("Another backup or export is under way; try again when it is done.")
        try:
            with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=self._settings.data) as folder:
                yield Path(folder)
        finally:
            self._copying.release()

    def _snapshot(self) -> Iterator[dict[str, Any]]:
        """A copy of everything at one moment, for a backup."""
        store = self._embedded() if self._serving else None
        with self._scratch() as folder:
            yield from snapshot.take(self._settings, store, folder)
            yield {"hold": str(folder)}

    def _export(
        self, project_id: int, start_us: int, end_us: int, kind: str
    ) -> Iterator[dict[str, Any]]:
        """The requests of a project in a window as a file."""
        store = self._embedded()
        with self._scratch() as folder:
            file = folder / f"requests.{kind}"
            yield from ({"percent": part} for part in store.export(
                project_id, start_us, end_us, file
            ))  # fmt: skip
            yield {"hold": str(file)}

    def _embedded(self) -> DuckDBStore:
        if not isinstance(self._store, DuckDBStore):
            raise UpkeepError("The event store is a server of its own; use its own tools.")
        return self._store

    def _dead_letters(self) -> Iterator[dict[str, Any]]:
        _ = self._journal  # which brings the file to this version
        for letter in dead_letters.letters(self._settings.journal):
            yield {name: getattr(letter, name) for name in letter.__struct_fields__}

    def _replay(self, ids: Sequence[int] | None) -> Iterator[dict[str, Any]]:
        yield {"letters": self._journal.replay(ids)}

    def _delete(self, ids: Sequence[int] | None) -> Iterator[dict[str, Any]]:
        _ = self._journal
        yield {"letters": dead_letters.delete(self._settings.journal, ids)}
