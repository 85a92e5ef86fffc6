"""Who asks: the consumers with the most total time, where the app names them."""

from collections.abc import Mapping
from typing import Any, Final

from ..formats import duration_unit, element_id
from ..scope import Scope
from .base import Panel


def show(scope: Scope) -> Mapping[str, Any]:
    total_us = scope.summary.duration_us
    return {
        "rows": [
            (
                element_id("consumer", one.consumer),
                one,
                one.duration_us / total_us if total_us else 0.0,
                scope.requests_link(consumer=one.consumer),
            )
            for one in scope.consumers
        ],
        "unit": duration_unit(one.p95_us for one in scope.consumers),
    }


PANEL: Final = Panel("consumers", show)
