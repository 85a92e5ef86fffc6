"""The JSON API of the shop's phone app."""

from typing import Any

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from ..chance import dice, happens, pause
from . import catalogue

blueprint = Blueprint("reviews", __name__, url_prefix="/api")


@blueprint.get("/books/<int:book_id>/reviews")
def reviews(book_id: int) -> dict[str, Any]:
    found = catalogue.find(book_id) or abort(404)
    pause(11)
    stars = [dice.randint(2, 5) for _ in range(book_id % 9)]
    return {"book": found.title, "reviews": [{"stars": count} for count in stars]}


@blueprint.post("/books/<int:book_id>/reviews")
def add_review(book_id: int) -> ResponseReturnValue:
    found = catalogue.find(book_id) or abort(404)
    review = request.get_json()
    pause(22)
    if not isinstance(review, dict) or review.get("stars") not in range(1, 6):
        return {"error": "stars must be a whole number from 1 to 5"}, 422
    return {"book": found.title, "stars": review["stars"]}, 201


@blueprint.get("/stock")
def stock() -> ResponseReturnValue:
    pause(7)
    if happens(0.02):
        return {"error": "the warehouse is being counted"}, 503, {"Retry-After": "30"}
    return {str(book.id): book.stock for book in catalogue.BOOKS}
