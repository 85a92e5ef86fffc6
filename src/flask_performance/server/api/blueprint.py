"""Joins the API to a Flask app: one rule a path, a token checked, JSON out whatever happens."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Flask, Response, request
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException, InternalServerError

from flask_performance.server.accounts import csrf, tokens
from flask_performance.server.accounts.database import AWAY
from flask_performance.server.accounts.permissions import Scope
from flask_performance.server.store.base import EventStore, StoreUnavailableError

from . import openapi, parameters
from .endpoints import ENDPOINTS, Call, Endpoint
from .errors import (
    Refusal,
    answer_accounts_away,
    answer_http_exception,
    answer_not_kept,
    answer_refusal,
    answer_unavailable,
    not_found,
    too_weak,
)

#: Every path takes all of them, so that a refusal is ours, with a sentence.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def init_app(app: Flask, store: EventStore) -> None:
    """Add the API to an app whose accounts are set up."""
    blueprint = Blueprint("api", __name__, url_prefix=openapi.PREFIX)
    table: defaultdict[str, dict[str, Endpoint]] = defaultdict(dict)
    for endpoint in ENDPOINTS:
        table[endpoint.path][endpoint.method] = endpoint
    for path, by_method in table.items():
        _add(blueprint, path, _view(store, by_method))
    _add(blueprint, "/openapi.json", _document())
    _add(blueprint, "", _nothing)
    _add(blueprint, "/", _nothing)
    _add(blueprint, "/<path:_rest>", _nothing)
    blueprint.register_error_handler(Refusal, answer_refusal)
    blueprint.register_error_handler(StoreUnavailableError, answer_unavailable)
    for kind in AWAY:
        blueprint.register_error_handler(kind, answer_accounts_away)
    blueprint.register_error_handler(DataError, answer_not_kept)
    blueprint.register_error_handler(HTTPException, answer_http_exception)
    blueprint.register_error_handler(InternalServerError, answer_http_exception)
    blueprint.after_request(_not_cached)
    csrf.exempt(blueprint)
    app.register_blueprint(blueprint)


def _add(blueprint: Blueprint, path: str, view: Callable[..., Response]) -> None:
    blueprint.add_url_rule(
        path.replace("{id}", "<id>"),
        endpoint=path.strip("/").replace("/", "_").replace(".", "_") or "root",
        view_func=view,
        methods=METHODS,
        provide_automatic_options=False,
    )


def _view(store: EventStore, by_method: dict[str, Endpoint]) -> Callable[..., Response]:
    def view(id: str | None = None) -> Response:
        endpoint = _chosen(by_method)
        access = _access(endpoint.scope)
        project = None
        if id is not None and (project := access.project_for(id)) is None:
            raise not_found()
        if project is not None and not access.may(project.team, endpoint.action):
            raise too_weak(endpoint.action)
        values = parameters.read(endpoint.parameters, request.args)
        body = _body(endpoint.body) if endpoint.body else None
        answer = endpoint.function(Call(store, access, values, project, body))
        return _json(answer, endpoint.status)

    return view


def _chosen(by_method: dict[str, Endpoint]) -> Endpoint:
    """The endpoint of this request's method; HEAD is answered like GET, without the body."""
    method = "GET" if request.method == "HEAD" else request.method
    if method not in by_method:
        allowed = ", ".join(sorted(by_method))
        raise Refusal(
            *(405, "method_not_allowed", f"This address answers to {allowed}; use one of these."),
            headers={"Allow": allowed},
        )
    return by_method[method]


def _access(scope: Scope) -> tokens.Access:
    """What the request's token opens. A 401 without one that works, a 403 without the scope."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip() if scheme.lower() == "bearer" else ""
    if not secret:
        raise _unauthorized("Send the header `Authorization: Bearer <token>`.")
    try:
        access = tokens.read_token(secret)
    except tokens.TokenError as error:
        raise _unauthorized(str(error), 'error="invalid_token"') from error
    if scope not in access.scopes:
        raise Refusal(
            403,
            "insufficient_scope",
            f"This token has not the scope {scope.value!r}; use one that has it.",
            headers=_challenge('error="insufficient_scope"', f'scope="{scope.value}"'),
        )
    return access


def _unauthorized(message: str, *details: str) -> Refusal:
    ways = 'Your account\'s page "API tokens" makes a token, and so does '
    message = f"{message} {ways}`flask-performance token create EMAIL`."
    return Refusal(401, "unauthorized", message, headers=_challenge(*details))


def _challenge(*details: str) -> dict[str, str]:
    """RFC 6750, section 3."""
    return {"WWW-Authenticate": ", ".join(['Bearer realm="Flask-Performance"', *details])}


def _body(shape: type) -> Any:
    if request.mimetype != "application/json":
        raise Refusal(
            415, "unsupported_media_type", "Send JSON with `Content-Type: application/json`."
        )
    try:
        return msgspec.json.decode(request.get_data(), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refusal(400, "bad_body", f"The body is not right: {error}.") from error


def _document() -> Callable[[], Response]:
    """The OpenAPI document needs no token: it holds nothing of anybody's."""
    body = msgspec.json.encode(openapi.document())

    def view() -> Response:
        if request.method not in ("GET", "HEAD"):
            raise Refusal(
                *(405, "method_not_allowed", "This address answers to GET; use that."),
                headers={"Allow": "GET"},
            )
        return Response(body, mimetype="application/json")

    return view


def _nothing(_rest: str = "") -> Response:
    raise Refusal(
        404, "not_found", "There is no such address; GET /api/v1/openapi.json lists all there are."
    )


def _json(answer: Any, status: int) -> Response:
    return Response(msgspec.json.encode(answer), status, mimetype="application/json")


def _not_cached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
