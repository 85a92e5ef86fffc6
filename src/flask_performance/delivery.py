"""What waits for the platform, in order, and what each of its answers means.

No thread in here, and no sleeping but in `finish`: `step` is called again and again by the sender.

A batch keeps its number and its bytes until it is answered, and no later one overtakes it: the
platform recognises a repeat by the number and stores it once.
"""

import json
import logging
import random
import time
import zlib
from collections import deque
from typing import Any, Final

from .buffer import Record
from .encoder import Rows, encode
from .ledger import Ledger
from .overhead import Meter
from .pace import Pace
from .routes import Declared
from .rules import Rules
from .spool import Spool, Spooled
from .transport import Answer, Transport, TransportError
from .usage import Usage
from .wire import Batch, Instance

logger = logging.getLogger("flask_performance")

#: Requests a batch carries at most. Few enough that encoding one is a matter of milliseconds, many
#: enough that a busy process sends one each METRIC_INTERVAL: to send costs more than to encode.
MOST_ROWS: Final = 2500
#: Seconds of silence after the first unanswered attempt, doubled by each further one.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
#: A Retry-After beyond this many seconds is cut.
LONGEST_RETRY_AFTER: Final = 3600.0
#: The state that ends every trouble, in the log's words.
GOES_WELL: Final = "takes batches again"
#: The last flush tries again after so many seconds, doubled by each further failure.
FIRST_LAST_PAUSE: Final = 0.05
LONGEST_LAST_PAUSE: Final = 0.4

#: Batches sent one after the other before records are looked after again.
AT_A_TIME: Final = 8
#: The spool is searched for what other processes left behind every so many seconds.
SEARCH_EVERY: Final = 10.0


class Sealed:
    """A batch that has its number and its bytes.

    :param spooled: where it waited on disk.
    :param foreign: another process's: not in our ledger.
    """

    __slots__ = ("body", "foreign", "number", "requests", "spooled")

    def __init__(
        self,
        number: int,
        requests: int,
        body: bytes,
        spooled: Spooled | None = None,
        *,
        foreign: bool = False,
    ) -> None:
        self.number = number
        self.requests = requests
        self.body = body
        self.spooled = spooled
        self.foreign = foreign


class Delivery:
    """The batches of one process, from rows to the platform's answer."""

    def __init__(
        self,
        instance: Instance,
        transport: Transport,
        ledger: Ledger,
        rules: Rules,
        declared: Declared,
        most_waiting: int,
        spool: Spool | None = None,
        beat: float = 0,
    ) -> None:
        self._instance = instance
        self._transport = transport
        self._ledger = ledger
        self._rules = rules
        self._declared = declared
        self._most_rows = max(1, min(MOST_ROWS, most_waiting // 2))
        self._most_in_memory = most_waiting // 2
        self._spool = spool
        self._meter = Meter()
        self._usage = Usage(beat)
        self._pace = Pace()
        self._search_at = 0.0
        self._rows = Rows()
        self._outbox: deque[Sealed] = deque()
        self._number = 0
        self._told = self._news()  # the ledger as the last sealed batch told it
        self._beats = False  # a batch is due that says no more than "I live"
        self._failures = 0
        self._over_quota = False
        self._silent_until = 0.0
        self._state = ""  # what the log said last
        self._complained = False
        #: The platform does not know our key: nothing is sent any more.
        self.refused = False

    @property
    def waiting(self) -> int:
        """Requests that are not answered yet and wait in memory."""
        return len(self._rows) + sum(sealed.requests for sealed in self._outbox)

    @property
    def pending(self) -> bool:
        """Whether there is anything that the platform should hear."""
        return not self.refused and (bool(self._outbox) or self._has_news() or self._has_spooled())

    @property
    def ready(self) -> bool:
        """Whether more could be sent at this moment."""
        return self.pending and time.monotonic() >= self._silent_until

    @property
    def behind(self) -> bool:
        """Whether sealed batches wait for nothing but their turn."""
        return bool(self._outbox) and self.ready

    def beat(self) -> None:
        """Nothing happened for long: tell the platform that the process lives all the same."""
        self._beats = self._number > 0 and not self.refused

    def add(self, records: list[Record], offset_ns: int) -> None:
        """Take records in; `offset_ns` as in Rows.add. They count as seen already."""
        if self.refused:
            self._ledger.drop("rejected", len(records))
            return
        self._usage.take(records)
        self._add_rows(self._rules.apply(records), offset_ns)
        if len(self._rows) >= self._most_rows:
            self._seal()
        self._pace.give_way()

    def _add_rows(self, records: list[Record], offset_ns: int) -> None:
        """A record that cannot be sent must not cost those beside it, nor the thread."""
        try:
            self._rows.add(records, offset_ns)
        except Exception as error:
            if len(records) > 1:
                for record in records:
                    self._add_rows([record], offset_ns)
                return
            self._ledger.drop("error", 1)
            if not self._complained:
                self._complained = True
                logger.error(  # noqa: TRY400  the traceback follows
                    "Flask-Performance: a request cannot be sent and is counted as dropped by "
                    "'error'. Further ones are not logged. Please report this.",
                    exc_info=error,
                )

    def step(self, *, at_once: bool = False) -> None:
        """Send some of what may be sent now; `at_once` ignores a pause after failures."""
        if at_once and self._failures:
            self._silent_until = 0.0
        for _ in range(AT_A_TIME):
            if not self.ready:
                return
            if not self._outbox:
                self._fetch()
            if self._outbox:
                self._attempt(self._outbox[0])

    def finish(self, deadline: float) -> None:
        """The process ends: send everything, and say goodbye, until `deadline` (monotonic)."""
        self._silent_until = 0.0
        if self._number or self._has_news():
            self._seal(final=True)
        pause = FIRST_LAST_PAUSE
        while self._outbox and not self.refused and time.monotonic() < deadline:
            began, failures = time.monotonic(), self._failures
            self._attempt(self._outbox[0])
            if self._failures <= failures:
                pause = FIRST_LAST_PAUSE
            elif self._may_try_again(began, pause, deadline):
                time.sleep(pause)  # a platform that restarts is back in a moment
                pause = min(2 * pause, LONGEST_LAST_PAUSE)
            else:
                break
        for sealed in self._outbox:
            self._leave_behind(sealed)
        self._outbox.clear()
        self._transport.close()

    def _may_try_again(self, began: float, pause: float, deadline: float) -> bool:
        """Whether an attempt as long as the one since `began` still fits after the pause. With a
        spool there is no need: it keeps the batch, and must be written before the process ends."""
        now = time.monotonic()
        fits = now + pause + (now - began) < deadline
        return fits and self._spool is None and not self._over_quota

    def _leave_behind(self, sealed: Sealed) -> None:
        """To the spool, for whichever process comes next; without one it is lost."""
        if sealed.spooled is not None and self._spool is not None:
            self._spool.give_back(sealed.spooled)
        elif not self._put(sealed):
            self._ledger.take_back("unsent", sealed.requests)

    # -- batches ---------------------------------------------------------------------------------

    def _has_news(self) -> bool:
        return len(self._rows) > 0 or self._beats or self._news() != self._told

    def _news(self) -> object:
        ledger = self._ledger
        return (ledger.seen, ledger.sent, ledger.dropped)

    def _seal(self, *, final: bool = False) -> None:
        """Give the rows a number and their bytes. From here on they count as sent."""
        rows, self._rows = self._rows, Rows()
        self._number += 1
        self._ledger.sent += len(rows)
        self._told = self._news()
        self._beats = False
        body = encode(
            self._instance,
            self._number,
            self._ledger.member(),
            rows,
            more={
                "overhead": self._meter.member(),
                "process": self._usage.member(),
                "routes": self._declared.news(),
            },
            final=final,
            between=self._pace.give_way,
        )
        self._outbox.append(Sealed(self._number, len(rows), body))
        self._spill()

    # -- spool -----------------------------------------------------------------------------------

    def _spill(self) -> None:
        """Too much in memory, or earlier batches on disk already: the newest goes there, too."""
        if self._spool is None or len(self._outbox) < 2:
            return
        if (self._spool.own or self.waiting > self._most_in_memory) and self._put(self._outbox[-1]):
            self._outbox.pop()

    def _put(self, sealed: Sealed) -> bool:
        return self._spool is not None and self._spool.put(
            self._instance["id"], sealed.number, sealed.requests, sealed.body
        )

    def _has_spooled(self) -> bool:
        if self._spool is None:
            return False
        return self._spool.own > 0 or time.monotonic() >= self._search_at

    def _fetch(self) -> None:
        """The next batch for an empty outbox: from the disk first, it waits there for longer."""
        if self._spool is not None and self._has_spooled():
            spooled = self._spool.claim(self._instance["id"])
            if spooled is not None:
                foreign = spooled.instance != self._instance["id"]
                self._outbox.append(
                    Sealed(spooled.number, spooled.requests, spooled.body, spooled, foreign=foreign)
                )
                return
            self._search_at = time.monotonic() + SEARCH_EVERY
        if self._has_news():
            self._seal()

    def _settled(self, sealed: Sealed) -> None:
        """The platform has said its last word on the first batch of the outbox."""
        self._outbox.popleft()
        if sealed.spooled is not None and self._spool is not None:
            self._spool.done(sealed.spooled)

    def _take_back(self, sealed: Sealed) -> None:
        if not sealed.foreign:
            self._ledger.take_back("rejected", sealed.requests)

    # -- answers ---------------------------------------------------------------------------------

    def _attempt(self, sealed: Sealed) -> None:
        try:
            answer = self._transport.send(sealed.body)
        except TransportError as error:
            self._pause(f"gives no answer ({error})", None)
            return
        self._judge(sealed, answer)

    def _judge(self, sealed: Sealed, answer: Answer) -> None:
        match answer.status:
            case 200 | 202 | 204:
                self._settled(sealed)
                self._failures = 0
                self._say(logging.WARNING, GOES_WELL)
            case 401:
                self._refuse(answer)
            case 413 if sealed.requests > 1 and not sealed.foreign:
                self._settled(sealed)
                self._split(sealed)
            case 400 | 413 | 415:
                self._settled(sealed)
                self._take_back(sealed)
                state = f"refuses a batch ({answer.status})"
                self._say(logging.ERROR, state, "Its requests are not sent.", answer.sentence)
            case status:
                self._pause(f"answers {status}", answer)

    def _pause(self, state: str, answer: Answer | None) -> None:
        self._failures += 1
        self._over_quota = answer is not None and answer.status == 429
        retry_after = None if answer is None else answer.retry_after
        if retry_after is None:
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
            seconds = longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads processes, no secret
        else:
            seconds = min(retry_after, LONGEST_RETRY_AFTER)
        self._silent_until = time.monotonic() + seconds
        sentence = "" if answer is None else answer.sentence
        self._say(logging.WARNING, state, "Requests wait in this process meanwhile.", sentence)

    def _refuse(self, answer: Answer) -> None:
        """Our key is not known: nothing that follows would be taken either."""
        self.refused = True
        for sealed in list(self._outbox):
            self._settled(sealed)
            self._take_back(sealed)
        self._ledger.drop("rejected", len(self._rows))
        self._rows = Rows()
        state = "does not know the key of METRIC_DSN (401)"
        hint = "Check METRIC_DSN and restart; until then nothing is sent."
        self._say(logging.ERROR, state, hint, answer.sentence)

    def _split(self, sealed: Sealed) -> None:
        """Too large for the platform: the same requests again in two batches with new numbers."""
        batch: Batch = json.loads(zlib.decompress(sealed.body, wbits=31))
        self._ledger.sent -= sealed.requests
        middle = sealed.requests // 2
        for part in (slice(None, middle), slice(middle, None)):
            columns: Any = batch["requests"]
            rows = Rows.of(batch["operations"], {name: columns[name][part] for name in columns})
            kept, self._rows = self._rows, rows
            self._seal(final=False)
            self._rows = kept

    def _say(self, level: int, state: str, hint: str = "", sentence: str = "") -> None:
        """One line a change of state, not one an attempt. The end of a trouble is as loud as its
        beginning: servers show warnings and leave out what is below.

        :param sentence: the platform's own words.
        """
        first = not self._state
        if state.split(" (")[0] == self._state.split(" (")[0]:
            return
        self._state = state
        if first and state == GOES_WELL:
            return  # nothing was wrong before
        said = f'It says: "{sentence}"' if sentence else ""
        line = " ".join(part for part in (f"{self._transport.name} {state}.", said, hint) if part)
        logger.log(level, "Flask-Performance: %s", line)
