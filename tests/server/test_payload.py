"""Bodies in; messages out, or a sentence that names the field; nothing else ever escapes."""

import copy
import gzip
import json
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_performance.server.payload import (
    KINDS,
    SMALL,
    Batch,
    Head,
    PayloadError,
    PayloadTooLargeError,
    Single,
    decode,
    outline,
    unpack,
)
from flask_performance.wire import MAX_BODY, MAX_DECODED, MAX_REQUESTS

from .batches import batch, body, plain, single

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def refusal(content: bytes) -> str:
    with pytest.raises(PayloadError) as refused:
        decode(content)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert len(sentence) < 300
    return sentence


def replaced(document: dict[str, Any], place: str, value: Any) -> bytes:
    """The document with a member, named like `requests.status`, replaced; or removed by `...`."""
    document = copy.deepcopy(document)
    inner: Any = document
    *way, last = place.split(".")
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return body(document)


def test_a_good_batch() -> None:
    decoded = decode(body(batch()))
    assert isinstance(decoded, Batch)
    posted = batch()
    columns = posted.pop("requests")
    head = msgspec.to_builtins(msgspec.convert(posted, Head))
    assert plain(decoded) == head | {"requests": dict.fromkeys(KINDS) | columns}
    assert (decoded.batch, len(decoded.requests), decoded.ledger.waiting) == (1, 3, 0)


def test_members_of_a_newer_client_are_skipped() -> None:
    newer = batch(spans={"request": [0], "name": ["sql"]}, stacks=[[1, [2, [3]]]])
    newer["requests"]["colour"] = ["red"] * 3
    newer["instance"]["container"] = {"id": 5}
    newer["ledger"]["postponed"] = 1
    newer["operations"][0]["tags"] = ["a"]
    assert plain(decode(body(newer))) == plain(decode(body(batch())))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("instance", ...),
        ("instance", "a"),
        ("instance.id", ...),
        ("instance.id", ""),
        ("instance.id", "x" * 65),
        ("instance.pid", -1),
        ("instance.environment", 3),
        ("instance.started_us", 10**18),
        ("batch", ...),
        ("batch", 0),
        ("batch", 2**64),
        ("batch", "1"),
        ("sent_us", -1),
        ("sent_us", 1e300),
        ("ledger", None),
        ("ledger.seen", -1),
        ("ledger.sent", ...),
        ("ledger.dropped", []),
        ("ledger.dropped", {"ignored": -1}),
        ("ledger.dropped", {"a": 2**62, "b": 2**62, "c": 2**62}),
        ("ledger.seen", 2**53 + 1),
        ("ledger.dropped", {str(number): 1 for number in range(101)}),
        ("operations", {}),
        ("operations", [{"method": "GET", "route": "/"}] * (MAX_REQUESTS + 1)),
        ("operations.0.route", ...),
        ("operations.0.method", 5),
        ("requests", []),
        ("requests.start_us", ...),
        ("requests.start_us", [-1, 1, 1]),
        ("requests.start_us", [10**18] * 3),
        ("requests.start_us", [1.5] * 3),
        ("requests.start_us", [1] * (MAX_REQUESTS + 1)),
        ("requests.duration_us", [1, -1, 1]),
        ("requests.duration_us", [10**4000] * 3),
        ("requests.duration_us", [1]),
        ("requests.duration_us", [1, 1, 366 * 86_400 * 10**6 + 1]),
        ("requests.first_byte_us", [None, 2**62, None]),
        ("requests.cpu_us", [2**62, 1, 1]),
        ("requests.queue_us", [2**62, 1, 1]),
        ("requests.request_bytes", [10**18 + 1, 1, 1]),
        ("requests.response_bytes", [1, 2**62, None]),
        ("requests.operation", [0, 0, 1]),
        ("requests.operation", [0, 0, -1]),
        ("requests.operation", []),
        ("requests.status", [99, 200, 200]),
        ("requests.status", [200, 600, 200]),
        ("requests.status", ["200"] * 3),
        ("requests.status", [200] * 4),
        ("requests.outcome", [0, 3, 0]),
        ("requests.outcome", [None] * 3),
        ("requests.path", ["/", 5, None]),
        ("requests.path", ["/"] * 2),
        ("requests.cpu_us", [1, None, -2]),
        ("requests.exception", [None]),
        ("requests.consumer", {"a": 1}),
        ("final", "yes"),
    ],
)
def test_a_refused_batch_says_which_field(place: str, value: Any) -> None:
    sentence = refusal(replaced(batch(), place, value))
    assert place.rpartition(".")[2] in sentence
    if place.startswith("requests.") and value is not ...:
        assert f"`{place}" in sentence


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("time_used", -1),
        ("time_used", "fast"),
        ("time_used", 1e300),
        ("time_used", 366 * 86_400 + 1),
        ("created_at", "yesterday"),
        ("created_at", "1960-01-01 00:00:00"),
        ("created_at", "1970-01-01 00:00:00"),
        ("created_at", "9999-12-31T23:59:59-23:59"),
        ("created_at", "\0"),
        ("created_at", "9" * 100_000),
        ("created_at", 5),
        ("created_at", ...),
        ("path", ...),
        ("path", None),
        ("status_code", 1000),
        ("status_code", "200"),
        ("method", None),
        ("endpoint", 7),
    ],
)
def test_a_refused_request_of_2019_says_which_field(member: str, value: Any) -> None:
    assert member in refusal(replaced(single(), member, value))


@pytest.mark.parametrize(
    ("created_at", "start_us"),
    [
        ("2019-05-15 08:00:00.123456", 1_557_907_200_111_156),
        ("2019-05-15 08:00:00", 1_557_907_199_987_700),
        ("2019-05-15T10:00:00.123456+02:00", 1_557_907_200_111_156),
    ],
)
def test_a_good_request_of_2019(created_at: str, start_us: int) -> None:
    decoded = decode(body(single(created_at=created_at)))
    assert isinstance(decoded, Single)
    assert (decoded.start_us, decoded.duration_us) == (start_us, 12_300)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b'"batch"', "not a JSON object"),
        (b"{", "not a JSON object"),
        (b'{"version": 1} x', "not a JSON object"),
        (b'{"version": NaN}', "not a JSON object"),
        (b'{"version": 1, "batch": Infinity}', "not a JSON object"),
        (b'{"version": "\xff\xfe"}', "this server speaks 1"),
        (body(batch()).replace(b"web-1", b"\xff\xfe"), "utf-8"),
        (b'{"a": "\\ud800"}', "not a JSON object"),
        (b"[" * 10**6, "not a JSON object"),
        (b'{"a":' * 10**5, "not a JSON object"),
        (b'{"version": 1, "x": ' + b"[" * 10**5 + b"]" * 10**5 + b"}", "not a JSON object"),
        (b'\xef\xbb\xbf{"version": 1}', "not a JSON object"),
        (b"{}", "`version` is missing"),
        (b'{"seen": 1}', "`version` is missing"),
        (b'{"version": 1}', "instance"),
        (b'{"version": 2}', "`version` is 2, this server speaks 1"),
        (b'{"version": "1"}', '`version` is "1", this server speaks 1'),
        (b'{"version": null}', "`version` is null"),
        (b'{"version": "' + b"x" * 10**6 + b'"}', "this server speaks 1"),
        (b'{"version": ' + b"9" * 10**5 + b"}", "this server speaks 1"),
    ],
)
def test_what_is_no_batch_at_all(content: bytes, words: str) -> None:
    assert words in refusal(content)


def test_nul_bytes_and_every_character_are_good() -> None:
    text = "".join(map(chr, range(0x500))) + "🦆\U0010ffff"
    document = batch()
    document["requests"]["path"] = [text] * 3
    decoded = decode(body(document))
    assert isinstance(decoded, Batch)
    assert decoded.requests.path == [text] * 3


def test_the_greatest_values_are_good() -> None:
    year_us = 366 * 86_400 * 10**6
    document = batch(1, ledger={"seen": 2**53, "sent": 0, "dropped": {"error": 2**53}})
    document["requests"] |= {
        "duration_us": [year_us] * 3,
        "cpu_us": [year_us] * 3,
        "request_bytes": [10**18] * 3,
    }
    decoded = decode(body(document))
    assert isinstance(decoded, Batch)
    assert plain(decoded)["requests"]["request_bytes"] == [10**18] * 3
    assert decode(body(single(time_used=366 * 86_400)))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[1,null,3]", [1, -1, 3]),
        ("[1, null, 3]", [1, -1, 3]),
        ("[\n1,\r\n\tnull, 3 ]", [1, -1, 3]),
        ("[-0,2,0]", [0, 2, 0]),
        ("[null,null,null]", [-1, -1, -1]),
        ("null", None),
    ],
)
def test_numbers_are_read_however_they_are_written(written: str, read: list[int] | None) -> None:
    document = batch()
    document["requests"]["cpu_us"] = "here"
    decoded = decode(body(document).replace(b'"here"', written.encode()))
    assert plain(decoded)["requests"]["cpu_us"] == read


@pytest.mark.parametrize(
    "written", ["[1,2 3,4]", "[01,2,3]", "[1,,3]", "[1,2,3", "[1,2,3,]", "[0x1,2,3]", "[1_0,2,3]"]
)
def test_what_is_no_json_among_numbers_is_refused(written: str) -> None:
    document = batch()
    document["requests"]["cpu_us"] = "here"
    assert "not a JSON object" in refusal(body(document).replace(b'"here"', written.encode()))


def test_a_batch_without_requests_is_good() -> None:
    document = batch(requests=0)
    document["operations"] = []
    decoded = decode(body(document))
    assert isinstance(decoded, Batch)
    assert len(decoded.requests) == 0


# -- long bodies ---------------------------------------------------------------------------------


def test_the_longest_batch_is_good_whatever_its_texts_hold() -> None:
    document = batch(requests=MAX_REQUESTS)
    document["requests"] |= {
        "path": ['/",\\",null,"' + "\\" * (place % 7) for place in range(MAX_REQUESTS)],
        "exception": [None] * MAX_REQUESTS,
        "consumer": ['"' * 20] * MAX_REQUESTS,
        "cpu_us": [None] * MAX_REQUESTS,
    }
    content = body(document)
    assert len(content) > SMALL
    decoded = decode(content)
    assert isinstance(decoded, Batch)
    assert decoded.requests.path == document["requests"]["path"]


@pytest.mark.parametrize("column", ["start_us", "duration_us", "status", "cpu_us"])
@pytest.mark.parametrize("last", [1, "a"])
def test_a_bomb_of_numbers_is_refused_before_it_is_decoded(column: str, last: Any) -> None:
    document = batch()
    document["requests"][column] = [1] * 100_000 + [last]
    assert f"`requests.{column}` has more than 10,000 values" in refusal(body(document))


@pytest.mark.parametrize("text", ["a", "", "\\", '"', ',"'])
def test_a_bomb_of_texts_is_refused_before_it_is_decoded(text: str) -> None:
    document = batch()
    document["requests"]["path"] = [text] * 100_000
    assert "`requests.path` has more than 10,000 values" in refusal(body(document))


def test_a_bomb_of_reasons_is_refused_before_it_is_decoded() -> None:
    dropped = {str(number): 1 for number in range(100_000)}
    document = batch(ledger={"seen": 3, "sent": 3, "dropped": dropped})
    assert "`ledger.dropped` takes more than 65,536 bytes" in refusal(body(document))


@pytest.mark.parametrize("padding", ["x" * 2**19, [1] * 2**18, {"deep": [[]] * 2**18}])
def test_a_long_member_of_a_newer_client_is_skipped(padding: Any) -> None:
    assert plain(decode(body(batch(spans=padding)))) == plain(decode(body(batch())))


def test_a_long_body_that_is_no_batch_is_refused_in_the_same_words() -> None:
    assert "`version` is missing" in refusal(body({"x": "x" * 2**19}))
    assert "not a JSON object" in refusal(b"[" + b"1," * 2**18 + b"1]")
    assert "`requests`" in refusal(body(batch(x="x" * 2**19) | {"requests": []}))
    assert isinstance(decode(body(single(path="x" * 2**19))), Single)


# -- outlines ------------------------------------------------------------------------------------


def test_the_outline_of_a_batch_that_is_refused() -> None:
    document = batch(7, requests=3)
    document["requests"]["duration_us"] = [2**62, "slow"]
    found = outline(body(document))
    assert found is not None
    assert (found.instance.id, found.batch, found.ledger.sent, len(found)) == ("a" * 32, 7, 21, 3)
    assert outline(replaced(document, "batch", 0)) is None
    assert outline(b"garbage") is None


# -- gzip ----------------------------------------------------------------------------------------


def test_unpacking() -> None:
    assert unpack(gzip.compress(b"text")) == b"text"
    assert unpack(gzip.compress(b"\0" * MAX_DECODED)) == b"\0" * MAX_DECODED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        zlib.compress(b"zlib"),
        gzip.compress(b"text", mtime=0)[:-1],
        gzip.compress(b"text", mtime=0)[:-8] + b"\0" * 8,
        gzip.compress(b"text", mtime=0) + b"more",
        gzip.compress(b"text", mtime=0) * 2,
    ],
)
def test_what_is_no_gzip(content: bytes) -> None:
    with pytest.raises(PayloadError, match="gzip"):
        unpack(content)


@pytest.mark.parametrize("more", [1, 10 * MAX_DECODED])
def test_a_bomb_is_too_large(more: int) -> None:
    bomb = gzip.compress(b"\0" * (MAX_DECODED + more))
    assert len(bomb) < MAX_BODY
    with pytest.raises(PayloadTooLargeError, match="unpacks to more than 33,554,432 bytes"):
        unpack(bomb)


# -- fuzz: PayloadError or a message, nothing else -----------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**62, max_value=2**70)
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "\0", "1", "2019-05-15", "", "9" * 5000]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def either(content: bytes) -> None:
    """A decoded message is complete enough to be used; anything else is refused."""
    try:
        message = decode(content)
    except PayloadError:
        return
    if isinstance(message, Single):
        assert message.start_us >= 0
        assert message.duration_us >= 0
    else:
        assert message.ledger.waiting >= 0
        assert len(message.requests.status) == len(message.requests)


@FUZZ
@given(st.binary())
def test_any_bytes(content: bytes) -> None:
    either(content)
    with pytest.raises(PayloadError):
        unpack(content)


@FUZZ
@given(VALUES)
def test_any_json(value: Any) -> None:
    either(json.dumps(value).encode())


def _places(value: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every value inside a document."""
    items = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list)
        else ()
    )  # fmt: skip
    return [way, *(place for key, inner in items for place in _places(inner, (*way, key)))]


@FUZZ
@given(st.data(), VALUES, st.sampled_from([batch(), single()]))
def test_a_good_document_with_one_value_replaced(
    data: st.DataObject, value: Any, document: dict[str, Any]
) -> None:
    document = copy.deepcopy(document)
    *way, last = data.draw(st.sampled_from(_places(document)[1:]))
    inner: Any = document
    for step in way:
        inner = inner[step]
    inner[last] = value
    either(json.dumps(document).encode())


@FUZZ
@given(st.data())
def test_a_good_body_with_some_bytes_changed(data: st.DataObject) -> None:
    content = bytearray(body(data.draw(st.sampled_from([batch(), single()]))))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    either(bytes(content))
