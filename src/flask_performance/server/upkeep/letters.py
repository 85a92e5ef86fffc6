"""The dead letters of either home of the queue: a table beside the journal, or in PostgreSQL."""

import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from flask_performance.server.accounts.database import open_engine
from flask_performance.server.accounts.letters import Letters
from flask_performance.server.queue import dead_letters
from flask_performance.server.queue.base import Envelope, QueueUnavailableError
from flask_performance.server.queue.dead_letters import DeadLetter
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings

from .errors import UpkeepError


class LetterBox(ABC):
    """What the commands do with dead letters. Raises UpkeepError."""

    @abstractmethod
    def letters(self) -> list[DeadLetter]:
        """All, the oldest first."""

    @abstractmethod
    def body(self, id: int) -> tuple[bool, bytes] | None:
        """Whether it is gzip, and what was posted; None where there is no such letter."""

    @abstractmethod
    def replay(self, ids: Collection[int] | None) -> int:
        """Put some (None: all) into the queue again, each once; how many."""

    @abstractmethod
    def delete(self, ids: Collection[int] | None) -> int:
        """Forget some (None: all) for good; how many there were."""


class JournalLetters(LetterBox):
    """Of the journal that is open here."""

    def __init__(self, file: Path, journal: Journal) -> None:
        self._file, self._journal = file, journal

    def letters(self) -> list[DeadLetter]:
        return dead_letters.letters(self._file)

    def body(self, id: int) -> tuple[bool, bytes] | None:
        return dead_letters.body(self._file, id)

    def replay(self, ids: Collection[int] | None) -> int:
        return self._journal.replay(ids)

    def delete(self, ids: Collection[int] | None) -> int:
        return dead_letters.delete(self._file, ids)


class BrokerLetters(LetterBox):
    """Of all workers."""

    def __init__(self, letters: Letters, queue_url: str) -> None:
        self._letters, self._queue_url = letters, queue_url

    def letters(self) -> list[DeadLetter]:
        return [DeadLetter(*row) for row in self._letters.listed()]

    def body(self, id: int) -> tuple[bool, bytes] | None:
        return self._letters.body(id)

    def replay(self, ids: Collection[int] | None) -> int:
        """A letter's message has an id of its own, the same if this is interrupted and done again:
        what is published twice is stored once."""
        from flask_performance.server.queue.celery import CeleryQueue

        done = 0
        with contextlib.closing(CeleryQueue(self._queue_url)) as queue:
            for id, block, envelope in self._letters.taken(ids):
                message = hashlib.blake2b(block + b"%d" % id, digest_size=16).hexdigest()
                queue.publish(message, [Envelope(*envelope)])
                done += self._letters.delete([id])
        return done

    def delete(self, ids: Collection[int] | None) -> int:
        return self._letters.delete(ids)


@contextlib.contextmanager
def broker_letters(settings: Settings) -> Iterator[LetterBox]:
    """Those in PostgreSQL. Raises UpkeepError."""
    assert settings.queue_url is not None  # noqa: S101
    engine = open_engine(settings)
    try:
        yield BrokerLetters(Letters(engine), settings.queue_url)
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", error)
        raise UpkeepError(f"The accounts' database cannot be asked ({reason}).") from error
    except QueueUnavailableError as error:
        raise UpkeepError(f"Nothing more was put into the queue: {error}.") from error
    finally:
        engine.dispose()
