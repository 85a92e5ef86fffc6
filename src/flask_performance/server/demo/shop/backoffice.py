"""What the shop's owner uses: a slow report and a streamed export."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from ..chance import happens, pause
from . import catalogue

blueprint = Blueprint("backoffice", __name__, url_prefix="/backoffice")


class ExportInterruptedError(Exception):
    """The warehouse closed its connection while the export was being written."""


@blueprint.get("/reports/<period>")
def report(period: str) -> dict[str, Any]:
    """Slow, and slower for longer periods, like every report that began as a quick query."""
    pause({"day": 350, "week": 900, "month": 1900}.get(period, 350))
    return {"period": period, "books": len(catalogue.BOOKS)}


@blueprint.post("/refunds/<int:order_id>")
def refund(order_id: int) -> dict[str, int]:
    """Nobody calls it any more, as in every app that is a few years old: see the page of routes."""
    pause(40)
    return {"refunded": order_id}


@blueprint.get("/export.csv")
def export() -> Response:
    pause(10)
    return Response(_lines(request.args.get("pages", 6, type=int)), mimetype="text/csv")


def _lines(pages: int) -> Iterator[str]:
    """The catalogue page by page, as a database cursor hands it out."""
    yield "id,title,author,price\n"
    for page in range(max(1, min(pages, 40))):
        pause(28)
        if page == 3 and happens(0.1):
            raise ExportInterruptedError("the warehouse closed the connection on page 3")
        yield "".join(
            f"{book.id},{book.title},{book.author},{book.price}\n" for book in catalogue.BOOKS
        )
