"""What every home of the queue has to do, whatever it is made of."""

import asyncio
from abc import ABC, abstractmethod

import pytest

from flask_performance.server.queue.base import Envelope, Queue, QueueUnavailableError


class Home(ABC):
    """A queue, and the server or file behind it."""

    queue: Queue

    @abstractmethod
    def waiting(self) -> list[Envelope]:
        """All that was put, as who stores it gets it."""

    @abstractmethod
    def crash(self) -> None:
        """The end, by force, and a new beginning with what survived."""

    @abstractmethod
    def away(self) -> None:
        """What keeps envelopes goes away …"""

    @abstractmethod
    def back(self) -> None:
        """… and is there again."""


def envelope(number: int, size: int = 0) -> Envelope:
    body = b"%d\xff\x00" % number + b"x" * size
    return Envelope(7, 1_763_726_400_000_000 + number, bool(number % 2), body)


def put(queue: Queue, *envelopes: Envelope) -> list[BaseException | None]:
    """Put all at once, from one event loop; what came of each."""

    async def all_of_them() -> list[BaseException | None]:
        return await asyncio.gather(*map(queue.put, envelopes), return_exceptions=True)

    return asyncio.run(all_of_them())


class QueueContract:
    """Inherit it and give it a fixture `home`."""

    def test_what_is_put_waits_as_it_was(self, home: Home) -> None:
        put(home.queue, envelope(1))
        put(home.queue, envelope(2, 2_000_000))
        assert home.waiting() == [envelope(1), envelope(2, 2_000_000)]

    def test_many_at_once_wait_each_once_in_their_order(self, home: Home) -> None:
        many = [envelope(number, 1_000) for number in range(3_000)]
        assert put(home.queue, *many) == [None] * 3_000
        assert home.waiting() == many

    def test_what_was_acknowledged_survives_a_crash(self, home: Home) -> None:
        assert put(home.queue, envelope(1), envelope(2)) == [None, None]
        home.crash()
        assert home.waiting() == [envelope(1), envelope(2)]
        assert put(home.queue, envelope(3)) == [None]

    def test_what_cannot_be_kept_is_refused_until_it_can(self, home: Home) -> None:
        put(home.queue, envelope(1))
        home.away()
        for error in put(home.queue, *map(envelope, range(2, 10))):
            assert isinstance(error, QueueUnavailableError)
        home.back()
        while put(home.queue, envelope(10)) != [None]:
            pass
        assert home.waiting() == [envelope(1), envelope(10)]

    def test_closing_finishes_what_was_accepted(self, home: Home) -> None:
        async def put_and_close() -> list[BaseException | None]:
            putting = [asyncio.create_task(home.queue.put(envelope(n))) for n in range(100)]
            await asyncio.sleep(0)
            await asyncio.to_thread(home.queue.close)
            return await asyncio.gather(*putting, return_exceptions=True)

        assert asyncio.run(put_and_close()) == [None] * 100
        assert len(home.waiting()) == 100
        with pytest.raises(QueueUnavailableError, match="stopping"):
            asyncio.run(home.queue.put(envelope(1)))
