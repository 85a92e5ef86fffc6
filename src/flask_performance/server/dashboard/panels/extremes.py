"""The requests of an operation that one looks at first: the slowest, and the latest errors."""

from collections.abc import Mapping
from typing import Any, Final

from ..scope import Scope
from ..window import DAY
from . import requests
from .base import Panel


def show(scope: Scope) -> Mapping[str, Any]:
    days = scope.window.seconds > DAY
    return {
        "groups": [
            (
                "slowest",
                "Slowest requests",
                scope.slowest,
                requests.words(scope.slowest, days=days),
                scope.requests_link(),
            ),
            (
                "failed",
                "Latest errors",
                scope.failed,
                requests.words(scope.failed, days=days),
                scope.requests_link(errors=True),
            ),
        ],
        "scope": scope,
    }


PANEL: Final = Panel("extremes", show)
