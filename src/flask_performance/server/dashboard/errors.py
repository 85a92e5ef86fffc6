"""Error pages: what happened, why, what to do next."""

import logging
from typing import Any, Final

from flask import Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from sqlalchemy.exc import DataError, SQLAlchemyError
from werkzeug.exceptions import HTTPException, InternalServerError

from flask_performance.server.accounts.database import AWAY, is_file
from flask_performance.server.accounts.refusals import SignUpRefusedError
from flask_performance.server.store.base import StoreUnavailableError

from .assets import Assets

log = logging.getLogger(__name__)

#: Status to title and next step. The rest is said by the error itself.
WORDS: Final = {
    400: ("This address does not work", "Check the part after the question mark, or start afresh."),
    403: (
        "You may not see this",
        "Ask an owner of the team to let you in, or log in with another account.",
    ),
    404: (
        "There is nothing here",
        "The address is wrong, it was deleted, or it belongs to a team that you are not in.",
    ),
    405: ("This address takes no such request", "Open it from a page of this server."),
    413: ("That is too much at once", "Send less."),
    429: ("Too many tries", "People who are logged in stay so."),
    500: (
        "Something broke on this server",
        "Nothing that was recorded is lost. Try again; if it stays, the server's log says why.",
    ),
}
#: Machines ask here and get their answers as JSON.
MACHINES: Final = ("/api/", "/v1/")


def init_app(app: Flask) -> None:
    """Give people pages where something fails; machines keep their own answers."""
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(CSRFError, csrf_error)
    app.register_error_handler(SignUpRefusedError, sign_up_refused)
    app.register_error_handler(StoreUnavailableError, store_unavailable)
    for kind in AWAY:
        app.register_error_handler(kind, accounts_unavailable)
    app.register_error_handler(DataError, not_to_be_kept)


def http_error(error: HTTPException) -> Response | HTTPException:
    """The page of an HTTP error."""
    if error.response is not None or request.path.startswith(MACHINES):
        return error
    status = error.code or InternalServerError.code
    title, advice = WORDS.get(status, (error.name, "Go back and try again."))
    said = status in {400, 429} and error.description
    detail = error.description if said else None
    words = {"status": status, "title": title, "advice": advice, "detail": detail}
    page = plain_page(words) if status >= 500 else render_template("error.html", **words)
    response = make_response(page, status)
    for name, value in error.get_headers(request.environ):
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def store_unavailable(error: StoreUnavailableError) -> Response:
    """A page that needs the event store while it does not answer."""
    log.warning("The event store did not answer a page: %(error)s", {"error": error})
    words = {
        "status": 503,
        "title": "The event store does not answer",
        "detail": "Requests are still taken: they wait on disk, and none is lost.",
        "advice": "Try again in a moment, or choose a shorter range. If it stays, the server's log "
        "says why.",
    }
    return make_response(plain_page(words), 503)


def accounts_unavailable(error: SQLAlchemyError) -> Response:
    """A page while the accounts' server does not answer. Of a file, a failure is a failure."""
    if is_file(error) or request.path.startswith(MACHINES):
        raise error
    log.warning("The accounts' database did not answer a page: %(error)s", {"error": error})
    words = {
        "status": 503,
        "title": "The accounts' database does not answer",
        "detail": "Apps are still heard, nothing that they send is lost, and you stay logged in.",
        "advice": "Try again in a moment. If it stays, the server's log says why.",
    }
    return make_response(plain_page(words), 503, {"Retry-After": "5"})


def not_to_be_kept(error: DataError) -> Response:
    """Text that no database takes: a character that is none, or far too much of it."""
    log.info("What was typed cannot be kept: %(error)s", {"error": error.orig})
    words = {
        "status": 400,
        "title": "This cannot be kept",
        "detail": "Something that was typed is too long, or holds a character that is none.",
        "advice": "Go back, correct it and send the form again.",
    }
    return make_response(plain_page(words), 400)


def plain_page(words: dict[str, Any]) -> str:
    """The error page without asking who is there: what failed may be just that."""
    template = current_app.jinja_env.get_template("error.html")
    return template.render(**words, broken=True, assets=Assets(), theme="", person=None)


def csrf_error(error: HTTPException) -> Response | HTTPException:
    """A form whose token is missing or belongs to another session."""
    if request.path.startswith(MACHINES):
        return error
    page = render_template(
        "error.html",
        status=400,
        title="This form is out of date",
        detail="You logged in or out in another tab since it was opened, or cookies are off. "
        "Nothing was changed.",
        advice="Go back, reload the page and send the form again.",
    )
    return make_response(page, 400)


def sign_up_refused(error: SignUpRefusedError) -> Response:
    """Where an account cannot be made, and what makes one."""
    words = {"words": error.words, "is_first": error.is_first}
    return make_response(render_template("security/no_sign_up.html", **words), 403)
