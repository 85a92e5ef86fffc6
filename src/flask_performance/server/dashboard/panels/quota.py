"""The notice over a project's numbers while a quota has no room for more."""

from collections.abc import Mapping
from typing import Any, Final

from ..scope import Scope
from .base import Panel

WORDS: Final = {"minute_quota": "a minute", "month_quota": "a month"}


def show(scope: Scope) -> Mapping[str, Any]:
    full = scope.intake.full
    return {"full": full, "per": WORDS[full.reason] if full else "", "project": scope.project}


PANEL: Final = Panel("quota", show)
