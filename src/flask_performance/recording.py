"""One request under way, from entry to its record in the buffer.

`recorder.py` makes a recording for every request; the slots that its common way does not need are
filled by `settle` only where a request leaves it.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Self

from .buffer import Buffer, Rare
from .exceptions import EXCEPTION_KEY, exception_name, rule_in
from .rules import Hooks
from .threads import shares_threads
from .wire import OUTCOMES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

COMPLETED: Final = OUTCOMES.index("completed")
DISCONNECTED: Final = OUTCOMES.index("disconnected")
FAILED: Final = OUTCOMES.index("failed")

#: Flask hands the contexts of a request to the callable that it finds here.
_CONTEXT_KEY: Final = "werkzeug.debug.preserve_context"

clock = time.perf_counter_ns
cpu_clock = time.thread_time_ns


class Extra:
    """What few requests have: measured processor time, an exception, a consumer, a stream."""

    __slots__ = ("consumer", "cpu_began_ns", "exception", "first_ns", "rule")

    def __init__(self) -> None:
        self.cpu_began_ns: int | None = None
        self.exception: str | None = None
        self.consumer: str | None = None
        self.first_ns: int | None = None
        self.rule: Any = None

    def seal(self) -> Rare:
        began = self.cpu_began_ns
        cpu_ns = None if began is None or shares_threads() else cpu_clock() - began
        return (cpu_ns, self.exception, self.consumer, self.first_ns)


class Recording:
    """One request under way. To the app it is the start_response.

    Most slots stay empty until they are needed; `settle` fills them where a request leaves the
    common way.
    """

    __slots__ = (
        "answer",
        "begin",
        "buffer",
        "environ",
        "extra",
        "headers",
        "outcome",
        "path",
        "rule",
        "script",
        "sent",
        "status",
    )

    environ: "WSGIEnvironment"
    answer: "StartResponse"
    #: None once the record has been offered.
    buffer: Buffer | None
    begin: int
    script: str
    path: str
    status: str | int | None
    headers: list[tuple[str, str]]
    #: The werkzeug Rule that matched.
    rule: Any
    outcome: int
    sent: int | None
    #: What few requests have.
    extra: Extra | None

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

    def finish(self) -> None:
        """Offer the record of a settled recording: at the end of the body, once or more often."""
        buffer, self.buffer = self.buffer, None
        if buffer is None:
            return
        get = self.environ.get
        exception = get(EXCEPTION_KEY)
        if exception is not None:
            self.more().exception = exception
        rule, extra = self.rule, self.extra
        if len(buffer) < buffer.limit:
            buffer.append(
                (
                    self.begin,
                    clock(),
                    self.status,
                    self.outcome,
                    None if rule is None else rule.rule,
                    None if rule is None else rule.endpoint,
                    self.sent,
                    get("REQUEST_METHOD", ""),
                    self.script,
                    self.path,
                    get("CONTENT_LENGTH"),
                    get("HTTP_X_REQUEST_START") or get("HTTP_X_QUEUE_START"),
                    get("HTTP_TRACEPARENT"),
                    None if extra is None else extra.seal(),
                )
            )
        else:
            buffer.refuse()
        if buffer.idle:
            buffer.wake()

    # -- what few requests need ------------------------------------------------------------------

    def settle(self, buffer: Buffer, begin: int, script: str, path: str) -> Self:
        """Leave the common way: no slot is empty from here on."""
        self.buffer = buffer
        self.begin = begin
        self.script = script
        self.path = path
        self.outcome = DISCONNECTED  # until the end of the body is reached
        self.sent = None
        if not hasattr(self, "status"):
            self.status = None
            self.rule = None if self.extra is None else self.extra.rule
            self.headers = []
        return self

    def more(self) -> Extra:
        if self.extra is None:
            self.extra = Extra()
        return self.extra

    def fail(self, error: BaseException) -> None:
        """The app raised."""
        self.outcome = FAILED
        self.more().exception = exception_name(error)
        if self.rule is None:
            self.rule = rule_in(error.__traceback__)

    def keep_context(self) -> None:
        """Learn the route of a request that may take the socket over and say nothing more."""
        before = self.environ.get(_CONTEXT_KEY)

        def keep(context: Any) -> None:
            rule = getattr(getattr(context, "request", None), "url_rule", None)
            if rule is not None:
                self.more().rule = rule
            if before is not None:
                before(context)

        self.environ[_CONTEXT_KEY] = keep


class NamedRecording(Recording):
    """A recording whose app names the consumer of each request."""

    __slots__ = ("hooks",)

    def __init__(self, hooks: Hooks) -> None:
        self.hooks = hooks

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.more().consumer = self.hooks.name_consumer()
        return super().start_response(status, headers, exc_info)


def curious_recording(buffer: Buffer, hooks: Hooks) -> Recording:
    """A recording that asks more than usual: who called, or how much processor time it took."""
    recording = Recording() if hooks.consumer is None else NamedRecording(hooks)
    recording.extra = None
    if buffer.cpu_left > 0:
        buffer.cpu_left -= 1
        recording.more().cpu_began_ns = cpu_clock()
    elif hooks.consumer is None:
        buffer.curious = False
    return recording
