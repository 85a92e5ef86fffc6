"""What `serve` says on standard error: one line an event, as text for people or as JSON.

A line names its values, as in `log.info("Sent %(subject)r", {"subject": …})`: the text has them in
their places, and JSON has each of them as a field besides. What libraries and Python's
warnings say goes the same way. A line holds no secret, unless it says that it does so on purpose.
"""

import json
import logging
import re
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

#: Loggers of the product.
OURS: Final = "flask_performance"
#: `extra` of a line that hands a link to who runs the server. No other line may hold a secret.
FOR_THE_OPERATOR: Final = {"for_the_operator": True}
#: Of equal warnings and errors so many are shown within so many seconds.
MOST_EQUAL: Final = 5
WINDOW: Final = 60.0
#: Different ones that are told apart at a time.
MOST_KINDS: Final = 500
#: Members of every JSON line; the values of a line have other names.
RESERVED: Final = frozenset(
    {"time", "level", "logger", "event", "message", "traceback", "left_out"}
)
TEXT: Final = "%(asctime)s %(levelname)s %(message)s"

#: What a secret looks like, and what is left of it.
SECRETS: Final = tuple(
    (re.compile(pattern), left)
    for pattern, left in (
        (r"\bfp_[\w-]{16,}", "fp_…"),
        (r"(/v1/collector/)[0-9a-fA-F]{32}", r"\1…"),
        (r"(/(?:reset|confirm|invitations|passkeys?|two-factor|new-email)/)[\w.~%-]{16,}", r"\1…"),
        (r"((?:first|token|code|state)=)[\w.~%-]{8,}", r"\1…"),
        (r"(\w://[^\s/:@]*:)[^\s/@]+@", r"\1…@"),
        (r"(?i)\b((?:Bearer|Basic) )[\w.~+/=-]{8,}", r"\1…"),
    )
)
#: One line is one event: what strangers typed makes no second one.
BREAKS: Final = {ord("\n"): "\\n", ord("\r"): "\\r", 0x0B: "\\v", 0x0C: "\\f", 0x85: "\\x85"}


def configure(level: str, *, as_json: bool, stream: TextIO | None = None) -> "Lines":
    """Everything that this process logs, in one way. `level` is ours; others only warn."""
    lines = Lines(stream or sys.stderr)
    lines.setFormatter(JsonLine() if as_json else TextLine(TEXT))
    logging.basicConfig(handlers=[lines], level=logging.WARNING, force=True)
    logging.getLogger(OURS).setLevel(level.upper())
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return lines


def counted() -> tuple[Mapping[str, int], int]:
    """Lines of the log by level since the start, and how many of them were left out."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Lines):
            return dict(handler.written), handler.left_out
    return {}, 0


def redacted(text: str) -> str:
    """The text without what looks like a secret."""
    for pattern, left in SECRETS:
        text = pattern.sub(left, text)
    return text


class Lines(logging.StreamHandler[TextIO]):
    """Writes lines, but of a flood of equal ones only the first, and counts."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._flood = Flood(clock)
        #: Lines by level, written or not; and how many were left out.
        self.written: Counter[str] = Counter()
        self.left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.written[record.levelname.lower()] += 1
        if self._flood.takes(record):
            super().emit(record)
        else:
            self.left_out += 1


class Flood:
    """Equal lines: the same sentence of the same logger, with the same kind of error."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: By kind: since when it is counted, and how many came.
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def takes(self, record: logging.LogRecord) -> bool:
        """Whether the line is written. The first after a flood gets to know how many were not."""
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[0] if record.exc_info else None
        kind = (record.name, record.levelno, str(record.msg), error)
        now = self._clock()
        since, count = self._kinds.pop(kind, (now, 0))
        if now - since >= WINDOW:
            record.left_out = max(0, count - MOST_EQUAL)
            since, count = now, 0
        self._kinds[kind] = (since, count + 1)
        if len(self._kinds) > MOST_KINDS:
            self._kinds.popitem(last=False)
        return count < MOST_EQUAL


class TextLine(logging.Formatter):
    """For people: a traceback follows its line."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if _is_meant(record) else redacted(text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- logging's name
        line = super().formatMessage(record).translate(BREAKS)
        left_out = _left_out(record)
        return f"{line} (and {left_out} more like it, left out)" if left_out else line


class JsonLine(logging.Formatter):
    """For machines: an object a line, its traceback within."""

    def format(self, record: logging.LogRecord) -> str:
        values = record.args if isinstance(record.args, Mapping) else {}
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": str(record.msg),
            "message": record.getMessage(),
            **{str(name): _plain(value) for name, value in values.items()},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        if left_out := _left_out(record):
            line["left_out"] = left_out
        if not _is_meant(record):
            line = {k: redacted(v) if isinstance(v, str) else v for k, v in line.items()}
        return json.dumps(line, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | bool | None) else str(value)


def _is_meant(record: logging.LogRecord) -> bool:
    return bool(getattr(record, "for_the_operator", False))


def _left_out(record: logging.LogRecord) -> int:
    return int(getattr(record, "left_out", 0))


def _uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    said = (kind, error, traceback)
    logging.getLogger(OURS).critical("The server ends by a fault of its own", exc_info=said)


def _uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is None or issubclass(hook.exc_type, SystemExit):
        return
    logging.getLogger(OURS).critical(
        "The thread %(thread)s ended by a fault of its own",
        {"thread": hook.thread.name if hook.thread else "unknown"},
        exc_info=(hook.exc_type, hook.exc_value, hook.exc_traceback),
    )
