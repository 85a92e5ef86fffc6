"""Refusals: every one is JSON with a code for programs and a sentence for people."""

import logging

import msgspec
from flask import Response
from sqlalchemy.exc import DataError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from flask_performance.server.accounts.database import is_file
from flask_performance.server.accounts.permissions import Action
from flask_performance.server.store.base import StoreUnavailableError

log = logging.getLogger(__name__)


class ErrorDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    #: A word that does not change between versions.
    code: str
    #: A sentence that says what to do.
    message: str
    #: The query parameter that is wrong, where one is.
    parameter: str | None = None


class Error(msgspec.Struct, frozen=True):
    """What every refusal looks like."""

    error: ErrorDetail


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """Ends a request with an error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        parameter: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = ErrorDetail(code, message, parameter)
        self.headers = headers or {}


def bad_parameter(name: str, message: str) -> Refusal:
    """A 400. The message follows the parameter's name."""
    return Refusal(400, "bad_parameter", f"{name} {message}", parameter=name)


def not_found() -> Refusal:
    """A 404 for what is not there and for what is not this person's: they look alike."""
    return Refusal(
        404, "not_found", "There is nothing here for you; GET /api/v1/projects lists your projects."
    )


def too_weak(action: Action) -> Refusal:
    """A 403 for a member whose role does not suffice."""
    return Refusal(
        *(403, "forbidden"),
        f"Your role in this team is too weak to {action.value}; ask an owner of it for another.",
    )


def answer_refusal(refusal: Refusal) -> Response:
    response = _answer(refusal.status, refusal.detail)
    response.headers.update(refusal.headers)
    return response


def answer_http_exception(error: HTTPException) -> Response:
    """What Flask itself refuses or fails at."""
    status = error.code or 500
    code = (error.name or "error").lower().replace(" ", "_")
    message = error.description or "The server failed; its log says why."
    if status >= 500:
        message = "The server failed on this request; its log says why. Try again later."
    return _answer(status, ErrorDetail(code, message))


def answer_unavailable(error: StoreUnavailableError) -> Response:
    """While the event store does not answer."""
    log.warning("The event store did not answer the API: %(error)s", {"error": error})
    message = "The event store does not answer; try again in a moment, or with a shorter window."
    response = _answer(503, ErrorDetail("store_unavailable", message))
    response.headers["Retry-After"] = "5"
    return response


def answer_accounts_away(error: SQLAlchemyError) -> Response:
    """While the accounts' server does not answer. Of a file, a failure is a failure."""
    if is_file(error):
        raise error
    log.warning("The accounts' database did not answer the API: %(error)s", {"error": error})
    message = "The accounts' database does not answer; try again in a moment."
    response = _answer(503, ErrorDetail("accounts_unavailable", message))
    response.headers["Retry-After"] = "5"
    return response


def answer_not_kept(_error: DataError) -> Response:
    """Text that no database takes."""
    message = "Something is too long, or holds a character that is none; send it without that."
    return _answer(400, ErrorDetail("bad_value", message))


def _answer(status: int, detail: ErrorDetail) -> Response:
    body = msgspec.json.encode(Error(detail))
    return Response(body, status, mimetype="application/json")
