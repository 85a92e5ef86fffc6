"""A team's audit log: who did what, when, from where; as a page and as a file."""

import csv
import io
from collections.abc import Iterator
from typing import Final

from flask import Blueprint, Response, abort, render_template, request, stream_with_context
from flask_security import auth_required

from flask_performance.server.accounts import audit
from flask_performance.server.accounts.models import AuditEntry, Team
from flask_performance.server.accounts.permissions import Action

from .. import access
from .team_frame import frame

#: Entries on a page.
PAGE: Final = 50
COLUMNS: Final = ("time", "actor", "action", "target", "address")
#: A spreadsheet takes what begins so for a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def register(blueprint: Blueprint) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/teams/<public_id>/audit")
    @auth_required("session")
    def team_audit(public_id: str) -> str:
        return page(access.team_to(Action.SEE_AUDIT, public_id), asked_kind(), asked_page())

    @blueprint.get("/teams/<public_id>/audit.csv")
    @auth_required("session")
    def team_audit_csv(public_id: str) -> Response:
        team = access.team_to(Action.SEE_AUDIT, public_id)
        rows = stream_with_context(lines(audit.entries(team, asked_kind())))
        headers = {"Content-Disposition": f'attachment; filename="audit-{public_id}.csv"'}
        return Response(rows, mimetype="text/csv", headers={**headers, "Cache-Control": "no-store"})


def page(team: Team, kind: str | None, number: int) -> str:
    total = audit.count(team, kind)
    if number > 1 and (number - 1) * PAGE >= total:
        abort(404)
    return render_template(
        "team_audit.html",
        **frame(team, "audit"),
        entries=list(audit.entries(team, kind, (number - 1) * PAGE, PAGE)),
        actions=audit.ACTIONS,
        kinds=audit.KINDS,
        kind=kind,
        number=number,
        total=total,
        first=(number - 1) * PAGE + 1,
        more=number * PAGE < total,
    )


def asked_kind() -> str | None:
    """The kind in the URL; none: all of them."""
    kind = request.args.get("kind", "")
    if kind and kind not in audit.KINDS:
        abort(400, f"There is no kind {kind!r}. It is one of {', '.join(audit.KINDS)}.")
    return kind or None


def asked_page() -> int:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text)):
        abort(400, "A page is a number from 1.")
    return int(text)


def lines(entries: Iterator[AuditEntry]) -> Iterator[str]:
    """The lines of the file, the header first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for entry in entries:
        yield taken(buffer)
        at = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        writer.writerow(
            [at, *map(harmless, (entry.actor, entry.action, entry.target, entry.address))]
        )
    yield taken(buffer)


def taken(buffer: io.StringIO) -> str:
    """What was written since the last time."""
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def harmless(text: str) -> str:
    """As text for spreadsheets too: a name is not a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
