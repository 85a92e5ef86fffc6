"""The OpenAPI 3.1 document, made from the table of endpoints and the types of the answers."""

import re
from typing import Any

import msgspec

from flask_performance.server.accounts.permissions import LEAST

from .endpoints import ENDPOINTS, Endpoint
from .errors import Error
from .parameters import Parameter

PREFIX = "/api/v1"
_REF = "#/components/schemas/{name}"
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "A project's id.",
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    """Everything a client generator needs."""
    schemas, components = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flask-Performance",
            "version": "1",
            "description": "Every request of your Flask apps. Durations are milliseconds.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made on the page of your account or of a team, or by "
                    "`flask-performance token create EMAIL`. It has scopes, and may expire.",
                }
            },
        },
    }


def _schemas() -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    """The schema of each type that travels, and what these refer to."""
    types = [Error, *(e.answer for e in ENDPOINTS), *(e.body for e in ENDPOINTS if e.body)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    return dict(zip(types, schemas, strict=True)), components


def _operation(endpoint: Endpoint, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    error = _content("The error says what to do.", schemas[Error])
    refusals = ["401", "403", *(["400"] if endpoint.parameters or endpoint.body else [])]
    if endpoint.body:
        refusals += ["413", "415"]
    if "{id}" in endpoint.path:
        refusals += ["404", "503"]
    operation = {
        "operationId": re.sub("_(.)", lambda m: m[1].upper(), endpoint.function.__name__),
        "summary": endpoint.words,
        "description": f"The token needs the scope `{endpoint.scope}`, its owner at least the role "
        f"`{LEAST[endpoint.action]}` in the team.",
        "parameters": [_ID] * ("{id}" in endpoint.path) + [_query(p) for p in endpoint.parameters],
        "responses": {
            str(endpoint.status): _content(endpoint.words, schemas[endpoint.answer]),
            **dict.fromkeys(sorted(refusals), error),
        },
    }
    if endpoint.body:
        body = {"application/json": {"schema": schemas[endpoint.body]}}
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _query(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "schema": dict(parameter.schema),
    }


def _content(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
