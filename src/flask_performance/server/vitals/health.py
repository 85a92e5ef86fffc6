"""Whether each part answers: asked at most once a second, and never waited for longer than two."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from flask_performance.server.counts import Failing, JobState

log = logging.getLogger(__name__)

#: An answer of a part is believed so long (seconds).
LIFE: Final = 1.0
#: A part that takes longer does not answer (seconds).
PATIENCE: Final = 2.0

#: Asks a part something cheap; what it fails at, or None. It may raise whatever it wants.
Ask = Callable[[], Failing | None]


class Health:
    """Of the parts by name, and of the timed work. To be asked on the event loop."""

    def __init__(self, parts: Mapping[str, Ask], jobs: Mapping[str, JobState]) -> None:
        # Threads of its own: others may all be taken by what does not answer. None until asked.
        self._threads = ThreadPoolExecutor(len(parts), thread_name_prefix="health")
        self._probes = {name: _Probe(name, ask, self._threads) for name, ask in parts.items()}
        self._jobs = jobs
        #: Since when the server stops (epoch); None: it serves.
        self.stopping_since: float | None = None

    async def parts(self) -> dict[str, Failing | None]:
        """What each part fails at."""
        found = await asyncio.gather(*(probe.answer() for probe in self._probes.values()))
        return dict(zip(self._probes, found, strict=True))

    def jobs(self) -> dict[str, Failing]:
        """The timed work that failed the last time it ran."""
        return {
            words: Failing("failed the last time it ran", state.failing_since)
            for words, state in self._jobs.items()
            if state.failing_since is not None
        }

    def stopping(self) -> None:
        """From now on it is not ready: it takes nothing new."""
        self.stopping_since = time.time()

    def close(self) -> None:
        """A question that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Probe:
    """One question to one part, whoever asks for it."""

    def __init__(self, name: str, ask: Ask, threads: ThreadPoolExecutor) -> None:
        self._name = name
        self._ask = ask
        self._threads = threads
        self._answer: asyncio.Future[Failing | None] | None = None
        self._asked = 0.0
        self._silent_since: float | None = None

    async def answer(self) -> Failing | None:
        if self._answer is None or (self._answer.done() and self._age() >= LIFE):
            self._asked = time.monotonic()
            loop = asyncio.get_running_loop()
            self._answer = loop.run_in_executor(self._threads, self._ask)
        answer = self._answer
        await asyncio.wait({answer}, timeout=max(0.0, PATIENCE - self._age()))
        if answer.done() and (error := answer.exception()) is None:
            self._silent_since = None
            return answer.result()
        if self._silent_since is None:
            self._silent_since = time.time()
            log.error(
                "The part %(part)s does not answer", {"part": self._name},
                exc_info=error if answer.done() else None,
            )  # fmt: skip
        return Failing("does not answer", self._silent_since)

    def _age(self) -> float:
        return time.monotonic() - self._asked
