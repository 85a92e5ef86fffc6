"""What the collector refused of a project, by reason: where to look when nothing comes."""

from collections.abc import Mapping
from typing import Any, Final

from ..formats import plural
from ..scope import Scope
from .base import Panel

#: What happened, and what to do about it.
REASONS: Final[dict[str, tuple[str, str]]] = {
    "revoked_key": (
        "A revoked key was used",
        "Give the app the DSN above and restart it.",
    ),
    "malformed": (
        "A body was not the wire format",
        "Update the extension in the app; something else may be posting here, too.",
    ),
    "too_large": (
        "A batch was too large",
        "Nothing to do: the extension sends it again in smaller ones.",
    ),
    "wrong_type": (
        "A body was no JSON, or packed with something else than gzip",
        "Something other than the extension posts here, or a proxy changes what it sends.",
    ),
    "minute_quota": (
        "The quota of requests a minute had no room",
        "Nothing to do: the app sends them again. The quota is in the project's settings.",
    ),
    "month_quota": (
        "The quota of requests a month had no room",
        "The app sends them again when there is. The quota is in the project's settings.",
    ),
    "instances": (
        "More processes than a project may have in a day",
        "Look for workers that restart all the time, or for somebody else who has the DSN.",
    ),
    "busy": (
        "The server could keep nothing just then",
        "Nothing to do: the app sends it again. The server's log says why.",
    ),
}


def show(scope: Scope) -> Mapping[str, Any]:
    return {
        "refused": [
            (*REASONS[one.reason], times(one.batches), one.last_us)
            for one in scope.intake.refused
            if one.batches and one.reason in REASONS
        ],
        "scope": scope,
    }


def times(number: int) -> str:
    return "once" if number == 1 else plural(number, "time")


PANEL: Final = Panel("refusals", show)
