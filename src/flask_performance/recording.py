"""One request under way, from entry to its record in the buffer.

`recorder.py` makes a `Recording` for every request, and an `Ending` for those that leave its common
way: with a body to watch, an exception, or something to be measured.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .buffer import Buffer, Rare, Record
from .exceptions import EXCEPTION_KEY, exception_name, rule_in
from .hooks import Hooks
from .threads import shares_threads

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Places in wire.OUTCOMES, which is not read at the app's start for three numbers.
COMPLETED: Final = 0
DISCONNECTED: Final = 1
FAILED: Final = 2

#: Flask hands the contexts of a request to the callable that it finds here.
_CONTEXT_KEY: Final = "werkzeug.debug.preserve_context"

clock = time.perf_counter_ns
cpu_clock = time.thread_time_ns


class Recording:
    """What the app says about a request. To the app it is the start_response.

    Every request makes one, so it has no slot that not every request needs.
    """

    __slots__ = ("answer", "environ", "headers", "rule", "status")

    environ: "WSGIEnvironment"
    answer: "StartResponse"
    # Empty until the app has called start_response:
    status: str | int | None
    headers: list[tuple[str, str]]
    #: The werkzeug Rule that matched.
    rule: Any

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.status = status
        self.headers = headers
        try:
            self.rule = self.environ["werkzeug.request"].url_rule
        except (KeyError, AttributeError):
            self.rule = None  # another framework inside, or no request any more
        answer = self.answer  # called as a method it would cost twice as much
        if exc_info is None:
            return answer(status, headers)
        return answer(status, headers, exc_info)

    def measured(self) -> tuple[int | None, str | None]:
        """Processor time (ns) and consumer, where they were asked for."""
        return None, None


class CuriousRecording(Recording):
    """A recording that asks more than usual: who called, or how much processor time it took."""

    __slots__ = ("_consumer", "_cpu_began_ns", "_hooks")

    def __init__(self, hooks: Hooks, cpu_began_ns: int | None) -> None:
        self._hooks = hooks
        self._consumer: str | None = None
        self._cpu_began_ns = cpu_began_ns

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self._consumer = self._hooks.name_consumer()
        return super().start_response(status, headers, exc_info)

    def measured(self) -> tuple[int | None, str | None]:
        began = self._cpu_began_ns
        cpu_ns = None if began is None or shares_threads() else cpu_clock() - began
        return cpu_ns, self._consumer


def curious_recording(buffer: Buffer, hooks: Hooks) -> Recording:
    """A recording that asks more, as far as there is more to ask."""
    if buffer.cpu_left > 0:
        buffer.cpu_left -= 1
        return CuriousRecording(hooks, cpu_clock())
    if hooks.consumer is not None:
        return CuriousRecording(hooks, None)
    buffer.curious = False
    return Recording()


class Ending:
    """A request that has left the common way, until its record is offered."""

    __slots__ = (
        "_begin",
        "_buffer",
        "_exception",
        "_path",
        "first_ns",
        "outcome",
        "recording",
        "sent",
    )

    def __init__(self, recording: Recording, buffer: Buffer, begin: int, path: str) -> None:
        self.recording = recording
        #: None once the record has been offered.
        self._buffer: Buffer | None = buffer
        self._begin = begin
        self._path = path
        self._exception: str | None = None
        self.outcome = DISCONNECTED  # until the end of the body is reached
        self.sent: int | None = None
        self.first_ns: int | None = None
        if not hasattr(recording, "status"):  # the app has said nothing yet
            recording.status = None
            recording.headers = []
        if not hasattr(recording, "rule"):
            recording.rule = None

    def fail(self, error: BaseException) -> None:
        """The app raised."""
        self.outcome = FAILED
        self._exception = exception_name(error)
        if self.recording.rule is None:
            self.recording.rule = rule_in(error.__traceback__)

    def complete(self) -> None:
        """All is well after all."""
        self.outcome = COMPLETED
        self._exception = None
        self.recording.environ.pop(EXCEPTION_KEY, None)

    def finish(self) -> None:
        """Offer the record: at the end of the body, once or more often."""
        buffer, self._buffer = self._buffer, None
        if buffer is None:
            return
        if len(buffer) < buffer.limit:
            buffer.append(self._record())
        else:
            buffer.refuse()
        if buffer.idle:
            buffer.wake()

    def _record(self) -> Record:
        recording = self.recording
        environ = recording.environ
        cpu_ns, consumer = recording.measured()
        exception = environ.get(EXCEPTION_KEY, self._exception)
        return (
            self._begin,
            clock(),
            recording.status,
            recording.rule,
            self.sent,
            environ.get("REQUEST_METHOD", ""),
            self._path,
            rare(environ, self.outcome, cpu_ns, exception, consumer, self.first_ns),
        )


def rare(
    environ: "WSGIEnvironment",
    outcome: int,
    cpu_ns: int | None = None,
    exception: str | None = None,
    consumer: str | None = None,
    first_ns: int | None = None,
) -> Rare | None:
    """What few requests have; None where this one has nothing of it."""
    get = environ.get
    found = (
        get("CONTENT_LENGTH"),
        get("HTTP_X_REQUEST_START") or get("HTTP_X_QUEUE_START"),
        get("HTTP_TRACEPARENT"),
        outcome,
        cpu_ns,
        exception,
        consumer,
        first_ns,
    )
    return found if any(found) else None


def keep_context(recording: Recording) -> None:
    """Learn the route of a request that may take the socket over and say nothing more."""
    environ = recording.environ
    before = environ.get(_CONTEXT_KEY)

    def keep(context: Any) -> None:
        rule = getattr(getattr(context, "request", None), "url_rule", None)
        if rule is not None:
            recording.rule = rule
        if before is not None:
            before(context)

    environ[_CONTEXT_KEY] = keep
