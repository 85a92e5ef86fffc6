"""The tasks that commands ask for. Each is a generator of answers; see `control`."""

import base64
import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings
from flask_performance.server.store.base import EventStore, StoreUnavailableError
from flask_performance.server.store.duckdb import DuckDBStore
from flask_performance.server.store.open import open_store

from . import snapshot
from .errors import UpkeepError
from .letters import JournalLetters, LetterBox, broker_letters

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
        if settings.queue_url is None:  # elsewhere several commands may work at once
            for left in settings.data.glob(f"{SCRATCH}*"):
                shutil.rmtree(left, ignore_errors=True)

    @cached_property
    def _store(self) -> EventStore:
        return self._closing.enter_context(contextlib.closing(open_store(self._settings)))

    @cached_property
    def _journal(self) -> Journal:
        return self._closing.enter_context(contextlib.closing(Journal(self._settings.journal)))

    @cached_property
    def _letters(self) -> LetterBox:
        if self._settings.queue_url is not None:
            return self._closing.enter_context(broker_letters(self._settings))
        return JournalLetters(self._settings.journal, self._journal)

    def close(self) -> None:
        self._closing.close()

    def run(self, task: str, arguments: dict[str, Any]) -> Generator[dict[str, Any]]:
        """Raises UpkeepError where there is no such task, and as the task does."""
        known: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
            "snapshot": self._snapshot,
            "export": self._export,
            "dead-letters": self._dead_letters,
            "dead-letter": self._body,
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
        """A folder on the data's disk, if there is one, deleted afterwards; one at a time."""
        data = self._settings.data
        if not self._copying.acquire(blocking=False):
            raise UpkeepError("Another backup or export is under way; try again when it is done.")
        try:
            with tempfile.TemporaryDirectory(
                prefix=SCRATCH, dir=data if data.is_dir() else None
            ) as folder:
                yield Path(folder)
        finally:
            self._copying.release()

    def _snapshot(self) -> Iterator[dict[str, Any]]:
        """A copy of everything at one moment, for a backup."""
        store = self._store if self._serving else None
        if not isinstance(store, DuckDBStore | None):
            raise TypeError("only an embedded store is served with commands")
        with self._scratch() as folder:
            yield from snapshot.take(self._settings, store, folder)
            yield {"hold": str(folder)}

    def _export(
        self, project_id: int, start_us: int, end_us: int, kind: str
    ) -> Iterator[dict[str, Any]]:
        """The requests of a project in a window as a file."""
        with self._scratch() as folder:
            file = folder / f"requests.{kind}"
            yield from ({"percent": part} for part in self._store.export(
                project_id, start_us, end_us, file
            ))  # fmt: skip
            yield {"hold": str(file)}

    def _dead_letters(self) -> Iterator[dict[str, Any]]:
        for letter in self._letters.letters():
            yield {name: getattr(letter, name) for name in letter.__struct_fields__}

    def _body(self, id: int) -> Iterator[dict[str, Any]]:
        found = self._letters.body(id)
        if found is None:
            raise UpkeepError(f"There is no dead letter {id} any more.")
        yield {"gzip": found[0], "body": base64.b64encode(found[1]).decode()}

    def _replay(self, ids: Sequence[int] | None) -> Iterator[dict[str, Any]]:
        yield {"letters": self._letters.replay(ids)}

    def _delete(self, ids: Sequence[int] | None) -> Iterator[dict[str, Any]]:
        yield {"letters": self._letters.delete(ids)}
