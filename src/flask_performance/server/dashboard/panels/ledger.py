"""The ledger: seen, stored, lost, and what became of every request that is not stored."""

from collections.abc import Mapping
from typing import Any, Final

from flask_performance.server.store.base import LedgerTotals

from ..downloads import Table
from ..formats import plural
from ..scope import Scope
from .base import Panel

#: Why requests were dropped, in words. The reasons are the wire format's and the platform's.
REASONS: Final = {
    "buffer_full": "more requests waited in the app than METRIC_BUFFER allows",
    "ignored": "an ignore rule of the app matched",
    "vetoed": "the app's own hook refused the record",
    "rejected": "the collector refused the batch for good",
    "unsent": "the process ended before the last flush was through",
    "error": "the extension failed on the record",
    "dead_letter": "the platform could not store it, and keeps it aside",
    "other": "a reason that this version of the platform does not know",
}


def show(scope: Scope) -> Mapping[str, Any]:
    return {
        "ledger": scope.ledger,
        "entries": entries(scope.ledger),
        "silence": silence(scope.ledger.silent),
        "held": held(scope.intake.held),
    }


def entries(ledger: LedgerTotals) -> list[tuple[int, str, str]]:
    """Every way a request went: how many, a word, what that means."""
    found = [
        (ledger.stored, "stored", "in the event store, durably"),
        (ledger.waiting, "waiting", "still in the app's memory when it last reported"),
    ]
    found += [
        (number, "dropped", REASONS.get(reason, reason.replace("_", " ")))
        for reason, number in sorted(ledger.dropped.items(), key=lambda item: -item[1])
        if number
    ]
    found.append((ledger.lost, "lost", "sent or seen, but neither stored nor explained"))
    return found


def held(requests: int) -> str:
    """What is said of batches over a quota; nothing where there is none."""
    if not requests:
        return ""
    return (
        f"{plural(requests, 'request')} held back: the collector refused the batch over a quota, "
        "and the app keeps it and sends it again. It is in no number above until it is stored."
    )


def silence(processes: int) -> str:
    """What is said of processes that sent no goodbye; nothing where there is none."""
    if not processes:
        return ""
    verb, them = ("is", "it") if processes == 1 else ("are", "they")
    return (
        f"{plural(processes, 'process', 'processes')} {verb} silent without a goodbye: "
        f"killed, or idle. What {them} saw after the last batch is unknown."
    )


def table(scope: Scope) -> Table:
    ledger = scope.ledger
    return Table(
        ("what", "reason", "requests"),
        [
            ("seen", None, ledger.seen),
            ("stored", None, ledger.stored),
            ("waiting", None, ledger.waiting),
            *(("dropped", reason, number) for reason, number in sorted(ledger.dropped.items())),
            ("lost", None, ledger.lost),
        ],
    )


PANEL: Final = Panel("ledger", show, table=table)
