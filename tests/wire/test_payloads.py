"""Recorded payloads stay readable, and what our encoder writes has the documented shape."""

import json
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from flask_performance import PerformanceCollector
from flask_performance.server.payload import KINDS, Batch, Single, decode, unpack
from flask_performance.testing import rows
from flask_performance.transport import Answer, Transport
from flask_performance.wire import (
    DROP_REASONS,
    Instance,
    Ledger,
    Operation,
    Overhead,
    Process,
    Requests,
    Routes,
    Rule,
)
from flask_performance.wire import Batch as BatchMembers
from tests.server.batches import plain

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
SCHEMA = json.loads((DOCS / "wire-format.schema.json").read_text())
BATCHES = ["minimal.json", "full.json", "final.json", "process.json", "future.json"]


@pytest.mark.parametrize("name", BATCHES)
def test_recorded_batches_have_the_documented_shape(name: str) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads((HERE / name).read_text()))


@pytest.mark.parametrize("name", BATCHES)
def test_the_platform_reads_recorded_batches(name: str) -> None:
    text = (HERE / name).read_bytes()
    recorded = json.loads(text)
    batch = decode(text)
    assert isinstance(batch, Batch)
    assert batch.instance.id == recorded["instance"]["id"]
    read = plain(batch)["requests"]
    assert read["start_us"] == recorded["requests"]["start_us"]
    assert batch.ledger.dropped == recorded["ledger"]["dropped"]
    assert batch.final is recorded.get("final", False)
    if name == "full.json":
        for column in Requests.__annotations__:
            numbers = KINDS[column].most is not None
            said = [
                -1 if value is None and numbers else value for value in recorded["requests"][column]
            ]
            assert read[column] == said
    for name in ("process", "routes"):
        if name in recorded and name in BatchMembers.__annotations__:
            assert msgspec.to_builtins(getattr(batch, name)) == recorded[name]


def test_the_platform_reads_the_request_of_2019() -> None:
    single = decode((HERE / "single-2019.json").read_bytes())
    assert isinstance(single, Single)
    assert (single.path, single.status_code, single.endpoint) == ("/users/7", 200, "users")
    assert single.duration_us == 12_300
    assert single.start_us == 1_557_907_200_123_456 - 12_300


def test_rows_of_a_recorded_batch() -> None:
    first, second, third = rows(json.loads((HERE / "full.json").read_text()))
    assert (first.method, first.route, first.path) == ("GET", "/users/<int:id>", "/users/7")
    assert (second.path, second.outcome, second.exception) == (
        "/orders",
        "failed",
        "sqlalchemy.exc.OperationalError",
    )
    assert (third.route, third.endpoint, third.outcome) == ("", None, "disconnected")


class Bytes(Transport):
    """Keeps the very bytes."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def send(self, body: bytes) -> Answer:
        self.bodies.append(body)
        return Answer(202)


def test_what_our_client_writes_has_the_documented_shape() -> None:
    app, transport = Flask("shop"), Bytes()
    app.config.update(METRIC_CPU=1, METRIC_RELEASE="1", METRIC_IGNORE=["/ignored"])
    pc = PerformanceCollector(app, transport=transport)
    pc.consumer(lambda: "ada")

    @app.post("/orders/<int:number>")
    def order(number: int) -> str:
        raise LookupError

    client = app.test_client()
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    client.post("/orders/1", data=b"12345", headers={**trace, "X-Request-Start": "t=1"})
    client.get("/nowhere/%ff")
    client.get("/ignored")
    pc.stop(app)

    validator = Draft202012Validator(SCHEMA)
    for body in transport.bodies:
        validator.validate(json.loads(zlib.decompress(body, wbits=31)))
        assert isinstance(decode(unpack(body)), Batch)
    last: Any = json.loads(zlib.decompress(transport.bodies[-1], wbits=31))
    assert last["final"] is True
    assert 0 < last["overhead"]["request_ns"] < 1_000_000
    assert last["overhead"]["sender_cpu_us"] > 0
    assert last["process"]["busy_us"] > 0
    assert last["process"]["cpu_us"] > 0
    first: Any = json.loads(zlib.decompress(transport.bodies[0], wbits=31))
    assert {"rule": "/orders/<int:number>", "methods": ["POST"], "endpoint": "order"} in (
        first["routes"]["rules"]
    )
    assert last["ledger"] == {"seen": 3, "sent": 2, "dropped": {"ignored": 1}}


def test_a_batch_that_only_reports_has_the_documented_shape_too() -> None:
    app, transport = Flask("shop"), Bytes()
    app.config["METRIC_IGNORE"] = ["/ignored"]
    pc = PerformanceCollector(app, transport=transport)
    app.test_client().get("/nowhere")
    assert pc.flush(app)
    app.test_client().get("/ignored")
    pc.stop(app)

    goodbye = unpack(transport.bodies[-1])
    Draft202012Validator(SCHEMA).validate(json.loads(goodbye))
    batch = decode(goodbye)
    assert isinstance(batch, Batch)
    assert (batch.final, len(batch.requests), batch.ledger.seen) == (True, 0, 2)


def test_schema_types_and_page_name_the_same_members() -> None:
    page = (DOCS / "wire-format.md").read_text()
    properties = SCHEMA["properties"]
    for members, types in (
        (properties, BatchMembers),
        (properties["instance"]["properties"], Instance),
        (properties["overhead"]["properties"], Overhead),
        (properties["process"]["properties"], Process),
        (properties["routes"]["properties"], Routes),
        (properties["routes"]["properties"]["rules"]["items"]["properties"], Rule),
        (properties["ledger"]["properties"], Ledger),
        (properties["operations"]["items"]["properties"], Operation),
        (properties["requests"]["properties"], Requests),
    ):
        assert set(members) == set(types.__annotations__)
        for name in members:
            assert f"`{name}`" in page, f"docs/wire-format.md does not explain {name}"
    for reason in DROP_REASONS:
        assert f"| `{reason}` |" in page


def test_the_page_shows_recorded_payloads() -> None:
    page = (DOCS / "wire-format.md").read_text()
    assert (HERE / "full.json").read_text() in page
    assert (HERE / "process.json").read_text() in page
    assert (HERE / "single-2019.json").read_text() in page
