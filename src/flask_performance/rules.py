"""What of the recorded is sent: METRIC_IGNORE and the edit hook, on the sender's thread."""

import fnmatch
import logging
import re
from collections.abc import Iterable
from types import SimpleNamespace

from .buffer import Record
from .encoder import NOTHING_RARE, decoded_path, status_number
from .exceptions import exception_name
from .hooks import MOST_CONSUMER, EditHook, Hooks
from .ledger import Ledger
from .texts import sendable, shown
from .wire import OUTCOMES, Outcome

logger = logging.getLogger("flask_performance")

_METHOD_IN_FRONT = re.compile(r"([A-Za-z*]+) +(/.*|\*.*)")


class Draft(SimpleNamespace):
    """A request as the edit hook sees it. What the hook changes is what is sent."""

    method: str
    path: str
    route: str | None
    endpoint: str | None
    exception: str | None
    consumer: str | None
    #: The rest is for deciding; changing it has no effect.
    status: int
    outcome: Outcome
    duration_us: int


class Rules:
    """Drops what shall not be sent, and counts it in the ledger."""

    def __init__(self, ignore: Iterable[str], hooks: Hooks, ledger: Ledger) -> None:
        self._ignored = ignore_pattern(ignore)
        self._hooks = hooks
        self._ledger = ledger
        self._complained = False

    def apply(self, records: list[Record]) -> list[Record]:
        """The records that remain, edited."""
        if self._ignored is not None:
            records = self._without_ignored(records, self._ignored)
        if self._hooks.edit is not None:
            records = self._edited(records, self._hooks.edit)
        return records

    def _without_ignored(self, records: list[Record], ignored: re.Pattern[str]) -> list[Record]:
        kept = [r for r in records if not ignored.fullmatch(f"{r[5]} {decoded_path(r[6])}")]
        self._ledger.drop("ignored", len(records) - len(kept))
        return kept

    def _edited(self, records: list[Record], edit: EditHook) -> list[Record]:
        kept = []
        for record in records:
            try:
                draft = edit(draft_of(record))
                edited = None if draft is None else edited_record(record, draft)
            except BaseException as error:  # SystemExit would end our thread
                # Unedited it may say what must not be said.
                self._ledger.drop("error", 1)
                self._complain(error)
                continue
            if edited is None:
                self._ledger.drop("vetoed", 1)
            else:
                kept.append(edited)
        return kept

    def _complain(self, error: BaseException) -> None:
        if not self._complained:
            self._complained = True
            logger.error(
                "Flask-Performance: the edit hook raised, or its draft cannot be sent. Such "
                "requests are counted as dropped by 'error'. Further errors of the hook are not "
                "logged.",
                exc_info=error,
            )


def ignore_pattern(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One expression for "METHOD path" out of shell patterns with or without a method."""
    parts = []
    for pattern in patterns:
        found = _METHOD_IN_FRONT.fullmatch(pattern)
        method, path = (found[1].upper(), found[2]) if found else ("*", pattern)
        parts.append(fnmatch.translate(f"{method} {path}"))
    return re.compile("|".join(parts)) if parts else None


class EditedRule:
    """Stands for the werkzeug Rule that matched where a hook may have changed what it says."""

    __slots__ = ("endpoint", "rule")

    def __init__(self, rule: str | None, endpoint: str | None) -> None:
        self.rule = rule
        self.endpoint = endpoint


def draft_of(record: Record) -> Draft:
    begin, end, status, rule, _, method, path, rare = record
    *_, outcome, _, exception, consumer, _ = rare or NOTHING_RARE
    return Draft(
        method=method,
        path=decoded_path(path),
        route=None if rule is None else rule.rule,
        endpoint=None if rule is None else rule.endpoint,
        exception=exception,
        consumer=consumer,
        status=status_number(status),
        outcome=OUTCOMES[outcome],
        duration_us=(end - begin) // 1000,
    )


def edited_record(record: Record, draft: Draft) -> Record:
    """The record with what the hook left in the draft. Raises TypeError for what is no text."""
    begin, end, status, _, sent, _, _, rare = record
    length, queued, trace, outcome, cpu_ns, _, _, first_ns = rare or NOTHING_RARE
    route = None if draft.route is None else text_of(draft, "route")
    endpoint = None if draft.endpoint is None else text_of(draft, "endpoint")
    path = text_of(draft, "path").encode("utf-8").decode("latin-1")  # as WSGI has it
    consumer = None if draft.consumer is None else shown(draft.consumer, MOST_CONSUMER)
    exception = exception_of(draft)
    return (
        begin,
        end,
        status,
        EditedRule(route, endpoint),
        sent,
        text_of(draft, "method"),
        path,
        (length, queued, trace, outcome, cpu_ns, exception, consumer, first_ns),
    )


def text_of(draft: Draft, name: str) -> str:
    """A member of the draft that has to be text."""
    value = getattr(draft, name)
    if not isinstance(value, str):
        raise TypeError(f"the edit hook set draft.{name} to {type(value).__name__}, not to text")
    return sendable(value)


def exception_of(draft: Draft) -> str | None:
    """The exception's name; a hook may as well have put an exception there."""
    exception: object = draft.exception
    if isinstance(exception, BaseException):
        return exception_name(exception)
    return None if exception is None else text_of(draft, "exception")
