"""What the monitoring costs the app, as its processes measure it themselves."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from flask_performance.server.store.processes import Usage

from ..formats import percent, significant
from ..scope import Scope
from .base import Panel


def show(scope: Scope) -> Mapping[str, Any]:
    usages = [row.usage for row in scope.instances if row.usage is not None]
    summary = scope.summary
    mean_us = summary.duration_us / summary.requests if summary.requests else None
    return {"facts": facts(usages, mean_us)}


def facts(usages: Sequence[Usage], mean_us: float | None) -> list[tuple[str, str, str, str]]:
    """Label, number, unit and what it means; what no process says is left out."""
    found = []
    added = [usage.request_ns for usage in usages if usage.request_ns is not None]
    if added:
        added_us = median(added) / 1000
        of = f"{percent(added_us / mean_us)} % of a mean response; " if mean_us else ""
        found.append(
            ("Added to a request", significant(added_us), "µs", f"{of}median over the processes")
        )
    sending = [usage.sender for usage in usages if usage.sender is not None]
    if sending:
        found.append(
            (
                "Sending, per process",
                percent(sum(sending) / len(sending)),
                "% of a CPU",
                "on a thread of its own, mean over the processes",
            )
        )
    return found


PANEL: Final = Panel("monitoring", show)
