"""Methods, addresses that are none, failures: JSON whatever happens."""

from pathlib import Path

import msgspec
import pytest
from flask import Flask
from openapi_spec_validator import validate

from flask_performance.server.api.endpoints import ENDPOINTS
from flask_performance.server.store.duckdb import DuckDBStore

from .support import DOCUMENT, Person, Project

PATHS = sorted({endpoint.path for endpoint in ENDPOINTS})


def test_the_document_is_valid_and_public(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    document = msgspec.json.decode(answer.data)
    validate(document)
    assert document == msgspec.to_builtins(DOCUMENT)
    assert document["openapi"].startswith("3.1")


def test_the_document_has_what_was_promised() -> None:
    paths = DOCUMENT["paths"]
    assert {"get", "post"} <= set(paths["/projects"])
    for part in ("summary", "operations", "series", "requests", "ledger"):
        operation = paths[f"/projects/{{id}}/{part}"]["get"]
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert {"id", "start", "end", "method", "route", "status", "environment"} <= names
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))


def test_the_page_for_people_has_every_endpoint_and_parameter() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    for endpoint in ENDPOINTS:
        assert f"`{endpoint.method} {endpoint.path}`" in page
        for parameter in endpoint.parameters:
            assert f"`{parameter.name}`" in page


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_told_the_right_ones(shop: Project, path: str, method: str) -> None:
    allowed = sorted(endpoint.method for endpoint in ENDPOINTS if endpoint.path == path)
    if method in allowed:
        return
    address = f"/api/v1{path.format(id=shop.id)}"
    headers = {"Authorization": f"Bearer {shop.owner.token}"}
    answer = shop.owner.app.test_client().open(address, method=method, headers=headers)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == ", ".join(allowed)
    assert answer.json
    assert answer.json["error"]["code"] == "method_not_allowed"


def test_head_is_get_without_the_body(shop: Project) -> None:
    headers = {"Authorization": f"Bearer {shop.owner.token}"}
    answer = shop.owner.app.test_client().head(f"/api/v1/projects/{shop.id}", headers=headers)
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 100


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/projects/", "/projects/x/nothing", "/projects/x/summary/"]
)
def test_an_address_that_is_none(ada: Person, path: str) -> None:
    answer = ada.app.test_client().get(f"/api/v1{path}")
    assert answer.status_code == 404
    assert answer.json
    assert "/api/v1/openapi.json" in answer.json["error"]["message"]


def test_other_pages_keep_their_own_errors(app: Flask) -> None:
    assert app.test_client().get("/nothing").mimetype == "text/html"


def test_a_failure_is_json_and_tells_no_secret(
    shop: Project, store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(store, "summary", broken)
    headers = {"Authorization": f"Bearer {shop.owner.token}"}
    answer = shop.owner.app.test_client().get(
        f"/api/v1/projects/{shop.id}/summary", headers=headers
    )
    assert (answer.status_code, answer.mimetype) == (500, "application/json")
    assert answer.json == {
        "error": {
            "code": "internal_server_error",
            "message": "The server failed on this request; its log says why. Try again later.",
        }
    }


def test_a_store_that_is_away_is_a_503_with_a_time_to_come_back(
    shop: Project, store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = store._connection.cursor()
    closed.close()
    monkeypatch.setattr(store, "_connection", closed)
    answer = shop.owner.ask("GET", f"/projects/{shop.id}/summary")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json["error"]["code"] == "store_unavailable"  # type: ignore[index]
