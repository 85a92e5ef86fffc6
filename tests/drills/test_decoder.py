"""Recorded payloads, spoilt in every way: PayloadError, or stored to the last request."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_performance.server.store.base import EventStore
from flask_performance.server.store.duckdb import DuckDBStore

from .decoder import RECORDED, packed, take

FUZZ = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
#: JSON that is often read wrongly; not all of it is JSON.
AWKWARD = [
    b"null", b"true", b"-1", b"-0", b"0.5", b"1e3", b"1e400", b"NaN", b"Infinity", b"-Infinity",
    b"9007199254740993", b"18446744073709551616", b"9" * 5000, b'""', b'"\\u0000"', b'"\\ud800"',
    b'"\\udc00\\ud800"', b'"\xff"', b'"\xc0\x80"', b'"\x00"', b"[]", b"{}", b"[" * 3000,
    b'{"a":' * 3000,
    b'"' + b"x" * 70_000 + b'"', b'{"a": 1, "a": 2}', b"253402300799999999",
    b"9223372036854775807", "\"\u2028\u202e\U0001f4a9\"".encode(),
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
    folder = tmp_path_factory.mktemp("store")
    with contextlib.closing(DuckDBStore(folder / "events.duckdb")) as store:
        yield store


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A recorded payload with values replaced, taken away or named twice, and bytes changed."""
    document = json.loads(draw(st.sampled_from(RECORDED)))
    raws: dict[str, bytes] = {}
    for number in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(list(_places(document))))
        if draw(st.booleans()):
            del container[key]
        else:
            container[key] = f"raw-{number}"
            raws[f'"raw-{number}"'] = draw(st.sampled_from(AWKWARD))
        if not document:
            break
    body = json.dumps(document).encode()
    for name, raw in raws.items():
        body = body.replace(name.encode(), raw)
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(body)))
        end = draw(st.integers(start, min(len(body), start + 40)))
        piece = draw(st.sampled_from([b"", body[start:end] * 2, *AWKWARD]) | st.binary(max_size=9))
        body = body[:start] + piece + body[end:]
    return body


def test_what_was_recorded_is_stored(store: EventStore) -> None:
    assert None not in [take(store, body) for body in RECORDED]
    assert None not in [take(store, packed(body), zipped=True) for body in RECORDED]


@FUZZ
@given(spoilt())
def test_a_spoilt_payload_is_refused_or_stored(store: EventStore, body: bytes) -> None:
    take(store, body)


@FUZZ
@given(spoilt(), st.data())
def test_a_spoilt_packed_payload_is_refused_or_stored(
    store: EventStore, body: bytes, data: st.DataObject
) -> None:
    content = bytearray(packed(body))
    for _ in range(data.draw(st.integers(0, 2))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    take(store, bytes(content), zipped=True)
