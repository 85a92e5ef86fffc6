"""The collector by its answers: what it keeps, and every refusal as JSON with a sentence."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from flask_performance.server.accounts import KeysUnavailableError, KnownKey, Meter, quotas
from flask_performance.server.collector import endpoint
from flask_performance.server.collector.endpoint import Collector, _message
from flask_performance.server.payload import SMALL, Batch, Single
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.journal import Journal
from flask_performance.wire import MAX_BODY, MAX_DECODED
from tests.server.batches import batch, body, single, zipped
from tests.support.asgi import call
from tests.support.faults import full_disk
from tests.support.http import Answer

KEY = "c5b35bc078844a59a15dd506e08f3ae6"
ADDRESS = f"/v1/collector/{KEY}"
REVOKED = "d" * 32
GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


class Desk:
    """A collector that knows one key, with its own journal."""

    def __init__(self, folder: Path, max_waiting: int = 2**30) -> None:
        self.file = folder / "journal.sqlite3"
        self.journal = Journal(self.file, max_waiting=max_waiting)
        self.now = 1_763_726_405.0  # five seconds into a minute
        self.meter = Meter(create_engine("sqlite://"), lambda: self.now)
        self.keys = {KEY: KnownKey(1, 7), REVOKED: KnownKey(2, 7, revoked=True)}
        self.collector = Collector(self.journal, self.keys.get, self.meter, self.page)

    def close(self) -> None:
        self.collector.close()
        self.journal.close()

    def page(self, base_url: str, key: str, known: bool) -> tuple[str, list[tuple[bytes, bytes]]]:
        return f"<p>{base_url} {key} {known}</p>", [(b"x-frame-options", b"DENY")]

    def maybe_ask(self, content: bytes | Iterable[bytes], **how: Any) -> Answer | None:
        path = how.pop("path", ADDRESS)
        return asyncio.run(call(self.collector, path, body=content, **how))

    def ask(self, content: bytes | Iterable[bytes], **how: Any) -> Answer:
        answer = self.maybe_ask(content, **how)
        assert answer is not None
        return answer

    def refusal(self, status: int, content: bytes | Iterable[bytes], **how: Any) -> Answer:
        """A JSON answer of this status with a sentence; nothing was kept."""
        answer = self.ask(content, **how)
        assert answer.status == status, answer.body
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) == {"error"}
        assert answer.json()["error"].endswith(".")
        assert self.kept() == []
        return answer

    def kept(self) -> list[Envelope]:
        return [one for _, one in self.journal.read(0, 1000, 2**40)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


@pytest.mark.parametrize(
    ("content", "headers", "accepted"),
    [
        (body(batch(requests=5)), {"Content-Type": "application/json"}, 5),
        (body(batch(requests=5)), {"Content-Type": "Application/JSON; charset=utf-8"}, 5),
        (body(batch(requests=5)), {}, 5),
        (body(batch(requests=0)), {"Content-Encoding": "identity"}, 0),
        (body(single()), {"Content-Type": "application/json"}, 1),
        (zipped(batch(requests=10_000)), GZIP, 10_000),
        (zipped(single()), {"Content-Encoding": " GZIP "}, 1),
    ],
)
def test_what_is_accepted_is_kept_as_it_was(
    desk: Desk, content: bytes, headers: dict[str, str], accepted: int
) -> None:
    answer = desk.ask(content, headers=headers)
    assert (answer.status, answer.json()) == (202, {"accepted": accepted})
    assert answer.headers["content-type"] == "application/json"
    (envelope,) = desk.kept()
    assert (envelope.project_id, envelope.body) == (7, content)
    assert envelope.gzip == content.startswith(b"\x1f\x8b")


def test_a_body_in_many_chunks(desk: Desk) -> None:
    content = zipped(batch())
    chunks = [content[place : place + 1] for place in range(len(content))]
    assert desk.ask([*chunks, b""], headers=GZIP).status == 202
    assert desk.kept()[0].body == content


@pytest.mark.parametrize("path", ["/v1/collector/" + "0" * 32, "/v1/collector/x", ADDRESS + "x"])
def test_an_unknown_key(desk: Desk, path: str) -> None:
    answer = desk.refusal(401, body(batch()), path=path)
    assert "Copy the DSN" in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [ADDRESS, ADDRESS + "/", f"/v1/collector/{KEY.upper()}", f"/v1/collector/{KEY.title()}/"],
)
def test_the_forms_of_a_key(desk: Desk, path: str) -> None:
    assert desk.ask(body(batch()), path=path).status == 202
    assert desk.kept()[0].project_id == 7
    page = desk.ask(b"", method="GET", path=path)
    assert (page.status, page.body.decode()) == (200, f"<p>http:// {KEY} True</p>")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/collector",
        "/v1/collector/",
        f"{ADDRESS}//",
        f"{ADDRESS}/x",
        f"/v1/{KEY}",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_address_that_is_none(desk: Desk, path: str, method: str) -> None:
    answer = desk.refusal(404, body(batch()), path=path, method=method)
    assert "/v1/collector/<32 hex digits>" in answer.json()["error"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_another_method(desk: Desk, method: str) -> None:
    answer = desk.refusal(405, body(batch()), method=method)
    assert answer.headers["allow"] == "POST, GET, HEAD"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "json", ""])
def test_another_type(desk: Desk, kind: str) -> None:
    answer = desk.refusal(415, body(batch()), headers={"Content-Type": kind})
    assert "application/json" in answer.json()["error"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_another_encoding(desk: Desk, encoding: str) -> None:
    answer = desk.refusal(415, body(batch()), headers={"Content-Encoding": encoding})
    assert "gzip" in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "headers", "words"),
    [
        (b"", {}, "JSON"),
        (b"{}", {}, "version"),
        (body(batch(batch=0)), {}, "batch"),
        (body(single(status_code=7)), {}, "status_code"),
        (body(batch()), GZIP, "gzip"),
        (zipped(batch()), {}, "JSON"),
        (zipped(batch())[:-9], GZIP, "gzip"),
    ],
)
def test_a_malformed_body(desk: Desk, content: bytes, headers: dict[str, str], words: str) -> None:
    assert words in desk.refusal(400, content, headers=headers).json()["error"]


def test_a_body_that_says_it_is_too_large_is_not_read(desk: Desk) -> None:
    headers = {"Content-Length": str(MAX_BODY + 1)}
    answer = desk.refusal(413, [], headers=headers)
    assert f"{MAX_BODY:,} bytes" in answer.json()["error"]


def test_a_body_that_does_not_say_it_is_too_large(desk: Desk) -> None:
    desk.refusal(413, [b"x" * 2**20] * 9)


def test_a_body_that_unpacks_to_too_much(desk: Desk) -> None:
    document = batch(instance={"id": "a", "padding": "x" * MAX_DECODED})
    desk.refusal(413, zipped(document), headers=GZIP)


@pytest.mark.parametrize("content", [body, zipped])
def test_a_long_body_leaves_the_event_loop_alone(
    desk: Desk, content: Callable[[Any], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on while a long body is decoded, and only a long one goes to the thread."""
    threads = []

    def message(text: bytes) -> Batch | Single:
        threads.append(threading.current_thread().name)
        return _message(text)

    monkeypatch.setattr(endpoint, "_message", message)
    long = batch(2, spans=["x" * SMALL])
    for document in (batch(1), long):
        headers = GZIP if content is zipped else {}
        assert desk.ask(content(document), headers=headers).json() == {"accepted": 3}
    assert threads == [threading.main_thread().name, "decoder_0"]
    refused = {"version": 1, "batch": "x" * SMALL}
    assert desk.ask(content(refused), headers=headers).status == 400


def test_a_full_queue(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_waiting=10)
    answer = desk.refusal(503, body(batch()))
    assert answer.headers["retry-after"] == "5"
    assert "later" in answer.json()["error"]
    desk.journal.close()


def test_a_full_disk(desk: Desk) -> None:
    with full_disk(desk.file.with_name("journal.sqlite3-wal"), 1000):
        answer = desk.refusal(503, body(batch(requests=1000)))
        assert answer.headers["retry-after"] == "5"
    assert desk.ask(body(batch())).status == 202


def test_keys_that_cannot_be_read(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    def find(key: str) -> KnownKey | None:
        raise KeysUnavailableError("the accounts' database cannot be read")

    desk.collector = Collector(desk.journal, find, desk.meter, desk.page)
    answer = desk.refusal(503, body(batch()))
    assert answer.headers["retry-after"] == "5"
    desk.journal.close()


def test_a_server_that_stops(desk: Desk) -> None:
    desk.journal.close()
    answer = desk.ask(body(batch()))
    assert answer.status == 503
    assert "stopping" in answer.json()["error"]


def test_a_client_that_leaves_within_its_body(desk: Desk) -> None:
    assert desk.maybe_ask([body(batch())], leaves=True) is None
    assert desk.kept() == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("path", "status"), [(ADDRESS, 200), ("/v1/collector/nobody", 404)])
def test_the_page_for_people(desk: Desk, method: str, path: str, status: int) -> None:
    answer = desk.ask(b"", method=method, path=path, headers={"Host": "example.com:8000"})
    key = path.rpartition("/")[2]
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.body.decode() == f"<p>http://example.com:8000 {key} {status == 200}</p>"


# -- quotas and refusals -------------------------------------------------------------------------


def refused(desk: Desk) -> dict[str, int]:
    """Batches by the reason for refusing them, not saved yet."""
    return {reason: burst.batches for (_, reason), burst in desk.meter._refused.items()}


def test_over_the_quota_of_a_minute(desk: Desk) -> None:
    desk.keys[KEY] = KnownKey(1, 7, quota_minute=10)
    assert desk.ask(body(batch(requests=10))).status == 202
    answer = desk.ask(zipped(batch(requests=1)), headers=GZIP)
    assert answer.status == 429
    assert answer.headers["retry-after"] == "55"
    assert "its quota of 10 requests a minute" in answer.json()["error"]
    assert len(desk.kept()) == 1
    assert refused(desk) == {"minute_quota": 1}
    desk.now += 55
    assert desk.ask(body(batch(requests=10))).status == 202


def test_over_the_instances_of_a_day(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "MOST_INSTANCES", 2)
    for name in ("a", "b", "a"):
        assert desk.ask(body(batch(instance={"id": name}))).status == 202
    answer = desk.ask(zipped(batch(instance={"id": "c"})), headers=GZIP)
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) <= quotas.LONGEST_WAIT
    assert "its quota of 2 processes a day" in answer.json()["error"]
    assert len(desk.kept()) == 3
    assert refused(desk) == {"instances": 1}


def test_over_the_quota_of_a_month(desk: Desk) -> None:
    desk.keys[KEY] = KnownKey(1, 7, quota_minute=1, quota_month=5)
    assert desk.ask(body(batch(requests=5))).status == 202
    answer = desk.ask(body(single()))
    assert answer.status == 429
    assert answer.headers["retry-after"] == "3600"
    assert "its quota of 5 requests a month" in answer.json()["error"]


def test_a_batch_that_fits_partly_is_refused_whole(desk: Desk) -> None:
    desk.keys[KEY] = KnownKey(1, 7, quota_minute=10)
    assert desk.ask(body(batch(requests=9))).status == 202
    assert desk.ask(body(batch(requests=2))).status == 429
    assert desk.ask(body(batch(requests=1))).status == 202


def test_what_could_not_be_kept_leaves_the_quota_as_it_was(tmp_path: Path) -> None:
    desk = Desk(tmp_path, max_waiting=10)
    desk.keys[KEY] = KnownKey(1, 7, quota_minute=3)
    for _ in range(3):
        assert desk.ask(body(batch(requests=3))).status == 503
    assert refused(desk) == {"busy": 3}
    assert not desk.meter._used
    desk.close()


def test_a_revoked_key_is_refused_like_an_unknown_one_and_counted(desk: Desk) -> None:
    answer = desk.refusal(401, body(batch()), path=f"/v1/collector/{REVOKED}")
    unknown = desk.refusal(401, body(batch()), path=f"/v1/collector/{'e' * 32}")
    assert answer.body == unknown.body
    page = desk.ask(b"", method="GET", path=f"/v1/collector/{REVOKED}")
    assert page.status == 404
    assert refused(desk) == {"revoked_key": 1}


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"{", {}, 400, "malformed"),
        (b"x" * (MAX_BODY + 1), {}, 413, "too_large"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "wrong_type"),
        (b"{}", {"Content-Encoding": "br"}, 415, "wrong_type"),
    ],
)
def test_every_refusal_has_its_reason(
    desk: Desk, content: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    desk.refusal(status, content, headers=headers)
    assert refused(desk) == {reason: 1}


def test_a_key_counts_what_it_brought(desk: Desk) -> None:
    desk.ask(body(batch(requests=5)))
    desk.ask(body(single()))
    desk.ask(b"{")
    assert desk.meter._used[1] == (6, desk.now)
