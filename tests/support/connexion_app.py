"""An app made by Connexion, 2 or 3, visited here; prints what its client and the extension saw."""

import json
from importlib.metadata import version
from typing import Any

import connexion
from flask import Flask, Response

from flask_performance import PerformanceCollector
from flask_performance.testing import MemoryTransport

THREE = version("connexion").startswith("3.")
OK = {"responses": {"200": {"description": "as it should be"}}}


def operation(name: str, **more: Any) -> dict[str, Any]:
    return {"get": {"operationId": f"{__name__}.{name}", **OK, **more}}


NUMBER = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
SPEC = {
    "openapi": "3.0.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/items/{number}": operation("item", parameters=[NUMBER]),
        "/boom": operation("boom"),
        "/stream": operation("stream"),
    },
}


def item(number: int) -> dict[str, int]:
    return {"number": number}


def boom() -> None:
    raise LookupError


def stream() -> Response:
    return Response(iter([b"x" * 10] * 3))


def main() -> None:
    made = (
        connexion.FlaskApp("shop") if THREE else connexion.FlaskApp("shop", specification_dir=".")
    )
    made.add_api(SPEC)
    app: Flask = made.app
    app.add_url_rule("/plain/<name>", "plain", lambda name: name)
    transport = MemoryTransport()
    pc = PerformanceCollector(app, transport=transport)
    client = made.test_client() if THREE else app.test_client()
    paths = ("/items/7", "/boom", "/stream", "/plain/ada", "/nowhere")
    answered = []
    for path in paths:
        response = client.get(path)
        assert response.text
        answered.append((path, response.status_code))
    pc.flush(app, 20)
    recorded = [
        (one.path, one.status, one.route, one.outcome, one.exception, one.response_bytes)
        for one in transport.requests
    ]
    pc.stop(app, 20)
    print(json.dumps({"answered": answered, "recorded": recorded}))


if __name__ == "__main__":
    main()
