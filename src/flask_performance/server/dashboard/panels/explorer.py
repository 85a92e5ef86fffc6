"""One page of single requests, newest first: the live tail, or what came before it."""

from collections.abc import Mapping
from typing import Any, Final

from ..downloads import MOST
from ..scope import PAGE_OF_REQUESTS, Scope
from ..state import NO_FILTER
from ..window import DAY
from . import requests
from .base import Panel


def show(scope: Scope) -> Mapping[str, Any]:
    found = scope.rows.rows
    return {
        "requests": found,
        "words": requests.words(found, days=scope.window.seconds > DAY),
        "total": scope.total,
        "older": scope.rows.next,
        "tail": scope.state.live and scope.state.before is None,
        "size": PAGE_OF_REQUESTS,
        "most": MOST,
        "no_filter": NO_FILTER,
        "scope": scope,
    }


PANEL: Final = Panel("explorer", show)
