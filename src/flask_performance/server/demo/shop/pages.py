"""What shoppers see: catalogue, search, book, cart, checkout."""

from pathlib import Path
from typing import Final

from flask import Blueprint, abort, redirect, render_template, request, send_file, session
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from ..chance import happens, pause
from . import catalogue

blueprint = Blueprint("shop", __name__)

COVER: Final = Path(__file__).parent / "pictures" / "cover.svg"


class PaymentUnavailableError(Exception):
    """The payment service did not answer in time."""


@blueprint.get("/")
def home() -> str:
    pause(6)
    return render_template("home.html", books=catalogue.BOOKS[:12], categories=catalogue.CATEGORIES)


@blueprint.get("/categories/")
def categories() -> str:
    pause(4)
    return render_template("categories.html", categories=catalogue.CATEGORIES)


@blueprint.get("/categories/<name>/")
def category(name: str) -> str:
    if name not in catalogue.CATEGORIES:
        abort(404)
    pause(14)
    return render_template("books.html", heading=name, books=catalogue.in_category(name))


@blueprint.get("/search")
def search() -> str:
    words = request.args.get("q", "")
    # A single short word makes the index useless, as everywhere.
    pause(240 if len(words) < 5 else 45, spread=0.5)
    return render_template(
        "books.html", heading=f"Results for {words!r}", books=catalogue.search(words)
    )


@blueprint.get("/books/<int:book_id>")
def book(book_id: int) -> str:
    found = catalogue.find(book_id) or abort(404)
    # Two modes, told apart in a heatmap: the page cache has it, or not.
    pause(5 if happens(0.8) else 85)
    return render_template("book.html", book=found)


@blueprint.get("/covers/<int:book_id>.svg")
def cover(book_id: int) -> Response:
    if catalogue.find(book_id) is None:
        abort(404)
    return send_file(COVER, max_age=60)


@blueprint.get("/cart")
def cart() -> str:
    pause(9)
    chosen = [catalogue.find(book_id) for book_id in session.get("cart", [])]
    return render_template("books.html", heading="Cart", books=[one for one in chosen if one])


@blueprint.post("/cart")
def add_to_cart() -> ResponseReturnValue:
    found = catalogue.find(request.form.get("book", 0, type=int)) or abort(404)
    pause(12)
    if not found.stock:
        return {"error": f"{found.title} is out of stock"}, 409
    session["cart"] = [*session.get("cart", [])[-4:], found.id]
    return redirect("/cart")


@blueprint.post("/checkout")
def checkout() -> ResponseReturnValue:
    if not session.get("cart"):
        return {"error": "the cart is empty"}, 400
    pause(160, spread=0.45)
    if happens(0.06):
        raise PaymentUnavailableError("payments.example.com did not answer within 2 s")
    session.pop("cart")
    return redirect("/thanks", code=303)


@blueprint.get("/thanks")
def thanks() -> str:
    pause(5)
    return render_template("thanks.html")
