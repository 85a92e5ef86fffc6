"""What was asked for in vain: the paths that no route served, scanners' apart, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask_performance.server import hints
from flask_performance.server.store.base import UnmatchedPath

from ..downloads import Table
from ..formats import element_id, instant_us
from ..scope import UNMATCHED_PATHS, Scope
from .base import Panel
from .operations import pieces
from .requests import class_of


@dataclass(frozen=True)
class Row:
    """A path with what is known of it."""

    id: str
    path: UnmatchedPath
    #: What a scanner looks for there; None: probably a person's.
    probe: str | None
    hint: hints.Hint | None
    #: The hinted route in pieces.
    route: list[tuple[str, bool]]
    #: The class of its status.
    name: str
    link: str


def show(scope: Scope) -> Mapping[str, Any]:
    found = rows(scope)
    return {
        "groups": [
            ("paths", [row for row in found if row.probe is None]),
            ("probes", [row for row in found if row.probe is not None]),
        ],
        "full": len(found) == UNMATCHED_PATHS,
        "most": UNMATCHED_PATHS,
    }


def table(scope: Scope) -> Table:
    return Table(
        ("method", "path", "status", "requests", "last", "consumer", "probe", "hint", "route"),
        (
            (
                *(row.path.method, row.path.path, row.path.status, row.path.requests),
                *(instant_us(row.path.last_us), row.path.consumer, row.probe),
                *((row.hint.words, row.hint.route) if row.hint else (None, None)),
            )
            for row in rows(scope)
        ),
    )


def rows(scope: Scope) -> list[Row]:
    """The most frequent first."""
    routes = scope.routes
    found = []
    for one in scope.unmatched:
        probe = hints.probe(one.path, routes)
        hint = None if probe else hints.hint(one.path, one.status, routes)
        found.append(
            Row(
                id=element_id("unmatched", one.method, one.path, str(one.status)),
                path=one,
                probe=probe,
                hint=hint,
                route=pieces(hint.route) if hint and hint.route else [],
                name=class_of(one.status, "completed"),
                link=scope.requests_link(
                    method=one.method, status=str(one.status), whole_path=one.path
                ),
            )
        )
    return found


PANEL: Final = Panel("unmatched", show, table=table)
