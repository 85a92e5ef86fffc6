"""The collector: key, size, shape; append; answer 202. Every refusal says why. Nothing else.

It is plain ASGI, because it is the one hot path of the platform. Answers and their meaning are in
`docs/wire-format.md`.
"""

import asyncio
import re
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, get_args

import msgspec

from flask_performance.wire import MAX_BODY

from ..accounts import KeysUnavailableError, KnownKey, Meter
from ..accounts.meter import Reason
from ..accounts.quotas import Over
from ..counts import Collected
from ..payload import SMALL, PayloadError, PayloadTooLargeError, Single, decode, unpack
from ..queue.base import Envelope, Queue, QueueFullError, QueueUnavailableError

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]

Headers = list[tuple[bytes, bytes]]
#: What the accounts know of a key; None: it was never any project's.
FindKey = Callable[[str], KnownKey | None]
#: (base URL, key, whether a project has it) to HTML and its headers.
Page = Callable[[str, str, bool], tuple[str, Headers]]

JSON: Final = (b"content-type", b"application/json")
HTML: Final = (b"content-type", b"text/html; charset=utf-8")
RETRY_AFTER: Final = (b"retry-after", b"5")  # seconds
#: Why a project's batch was refused, by the answer's status; the others are counted by themselves.
REASONS: Final[dict[int, Reason]] = {
    400: "malformed", 413: "too_large", 415: "wrong_type", 503: "busy",
}  # fmt: skip
#: Why a post was refused that is no project's.
OWN_REASONS: Final[dict[int, str]] = {
    401: "unknown_key", 404: "wrong_address", 405: "wrong_method",
}  # fmt: skip
#: The accounts cannot be read, and the key is not remembered.
AWAY: Final = "accounts_away"
#: Every reason that this server counts.
ALL_REASONS: Final = (
    *(reason for part in get_args(Reason) for reason in get_args(part)),
    *OWN_REASONS.values(), AWAY,
)  # fmt: skip
#: What a quota counts, in words.
QUOTAS: Final[dict[str, str]] = {
    "minute_quota": "requests a minute",
    "month_quota": "requests a month",
    "instances": "processes a day",
}
#: The collector's address and one slash more, which a 2019 client may be configured with.
ADDRESS: Final = re.compile(r"/v1/collector/([^/]+)/?")


class Refusal(Exception):  # noqa: N818 -- an answer, not an error of ours
    """An answer other than 202: a status, a sentence that helps, and headers.

    The reason is for the server's own counts, where the status does not tell it.
    """

    def __init__(
        self, status: int, sentence: str, *headers: tuple[bytes, bytes], reason: str = ""
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason or REASONS.get(status) or OWN_REASONS[status]
        self.headers = headers


class ClientGoneError(Exception):
    """The client left before its body was complete."""


class Collector:
    """The ASGI application of `POST /v1/collector/<key>`, and of all else below `/v1`: a 404.

    `find` looks a key up, `meter` counts and holds the projects' quotas, `page` makes what a
    person sees who opens the address in a browser.
    """

    def __init__(self, queue: Queue, find: FindKey, meter: Meter, page: Page) -> None:
        self._queue = queue
        self._find = find
        self._meter = meter
        self._page = page
        self.counts = Collected()
        # Long bodies are decoded here and not on the event loop, one after the other: decoding
        # keeps the interpreter to itself, so that more threads would only take more memory.
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decoder")

    def close(self) -> None:
        """Give the thread back. What is being decoded is still answered."""
        self._decoder.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            key = _key(scope)
            if scope["method"] in ("GET", "HEAD"):
                await self._show(scope, key, send)
                return
            accepted = await self._collect(scope, key, receive)
        except Refusal as refusal:
            self.counts.refused[refusal.reason] += 1
            body = msgspec.json.encode({"error": str(refusal)})
            await _answer(send, refusal.status, body, JSON, *refusal.headers)
        except KeysUnavailableError as error:
            self.counts.refused[AWAY] += 1
            body = msgspec.json.encode({"error": f"Not kept ({error}); send it again later."})
            await _answer(send, 503, body, JSON, RETRY_AFTER)
        except ClientGoneError:
            return
        else:
            self.counts.batches += 1
            self.counts.requests += accepted
            await _answer(send, 202, b'{"accepted": %d}' % accepted, JSON)

    async def _show(self, scope: Scope, key: str, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        found = self._find(key)
        known = found is not None and not found.revoked
        html, headers = self._page(f"{scope['scheme']}://{host}", key, known)
        await _answer(send, 200 if known else 404, html.encode(), HTML, *headers)

    async def _collect(self, scope: Scope, key: str, receive: Receive) -> int:
        """How many requests were accepted; they are durable then. Raises Refusal."""
        if scope["method"] != "POST":
            raise Refusal(
                405, "Post requests here as JSON; this address takes no other method than POST.",
                (b"allow", b"POST, GET, HEAD"),
            )  # fmt: skip
        found = self._working(key)
        try:
            return await self._take(found, dict(scope["headers"]), receive)
        except Refusal as refusal:
            if reason := REASONS.get(refusal.status):
                self._meter.refuse(found, reason)
            raise

    def _working(self, key: str) -> KnownKey:
        found = self._find(key)
        if found is None or found.revoked:
            reason = ""
            if found is not None:
                reason = "revoked_key"
                self._meter.refuse(found, "revoked_key")
            raise Refusal(
                401, "No project has this key. Copy the DSN from the project's set-up page again; "
                "a revoked key stops working at once.", reason=reason,
            )  # fmt: skip
        return found

    async def _take(self, key: KnownKey, headers: dict[bytes, bytes], receive: Receive) -> int:
        _check_type(headers)
        gzip = _is_gzip(headers)
        body = await _read(headers, receive)
        if _is_small(body, gzip):
            requests, instance = _count(body, gzip)
        else:
            loop = asyncio.get_running_loop()
            requests, instance = await loop.run_in_executor(self._decoder, _count, body, gzip)
        self._admit(key, requests, instance)
        try:
            await self._keep(Envelope(key.project_id, time.time_ns() // 1000, gzip, body))
        except BaseException:
            self._meter.take_back(key, requests)
            raise
        self._meter.accepted(key, requests, instance)
        return requests

    def _admit(self, key: KnownKey, requests: int, instance: str | None) -> None:
        """Raises Refusal where a quota has no room."""
        over = self._meter.admit(key, requests, instance)
        if over is not None:
            self._meter.refuse(key, over.reason)
            self._meter.hold(key, requests, instance, over.reason)
            raise _over_quota(over)

    async def _keep(self, envelope: Envelope) -> None:
        try:
            await self._queue.put(envelope)
        except QueueFullError:
            raise Refusal(
                503, "More is waiting to be stored than this server may keep; send it again later.",
                RETRY_AFTER,
            ) from None  # fmt: skip
        except QueueUnavailableError as error:
            raise Refusal(503, f"Not kept ({error}); send it again later.", RETRY_AFTER) from error


def _over_quota(over: Over) -> Refusal:
    return Refusal(
        429,
        f"The project is over its quota of {over.quota:,} {QUOTAS[over.reason]}; "
        f"send it again in {over.seconds:,} s.",
        (b"retry-after", b"%d" % over.seconds),
        reason=over.reason,
    )


def _key(scope: Scope) -> str:
    """The key in the address; hex digits mean the same in upper case. Raises Refusal."""
    found = ADDRESS.fullmatch(str(scope["path"]))
    if found is None:
        raise Refusal(
            404, "There is nothing at this address; post to the project's DSN, "
            "https://host/v1/collector/<32 hex digits>.",
        )  # fmt: skip
    return found[1].lower()


def _check_type(headers: dict[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refusal(
            415, f"The content type is {kind.decode('latin-1')!r}; send application/json."
        )


def _is_gzip(headers: dict[bytes, bytes]) -> bool:
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"gzip", b"identity"):
        raise Refusal(
            415,
            f"The content encoding is {encoding.decode('latin-1')!r}; send gzip, or none at all.",
        )
    return encoding == b"gzip"


async def _read(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    too_large = Refusal(413, f"The body is larger than {MAX_BODY:,} bytes; send smaller batches.")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > MAX_BODY:  # the server before us checks its form
        raise too_large
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY:
            raise too_large
        more = message.get("more_body", False)
    return b"".join(chunks)


def _is_small(body: bytes, gzip: bool) -> bool:
    """Whether the event loop may decode a body itself: in milliseconds, whatever it holds."""
    if not gzip or len(body) > SMALL:
        return len(body) <= SMALL
    unzip = zlib.decompressobj(wbits=31)
    try:
        unzip.decompress(body, SMALL)
    except zlib.error:
        return True  # which is quickly said
    return unzip.eof


def _count(body: bytes, gzip: bool) -> tuple[int, str | None]:
    """How many requests a body carries, and whose it is; the 2019 client does not say.

    Raises Refusal where it is malformed.
    """
    try:
        message = decode(unpack(body) if gzip else body)
    except PayloadTooLargeError as error:
        raise Refusal(413, str(error)) from error
    except PayloadError as error:
        raise Refusal(400, str(error)) from error
    if isinstance(message, Single):
        return 1, None
    return len(message.requests), message.instance.id


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})
