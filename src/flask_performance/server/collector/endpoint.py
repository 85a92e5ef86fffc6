"""The collector: key, size, shape; append; answer 202. Every refusal says why. Nothing else.

It is the one hot path of the platform. It is plain ASGI, and `protocol` hands it most posts before
they would become ASGI at all. Answers and their meaning are in `docs/wire-format.md`.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple, get_args

import msgspec

from flask_performance.wire import MAX_BODY

from ..accounts import KeysUnavailableError, KnownKey, Meter
from ..accounts.meter import Reason
from ..accounts.quotas import Over
from ..counts import Collected
from ..payload import SMALL, Batch, PayloadError, PayloadTooLargeError, Single, decode, unpack
from ..queue.base import Envelope, Queue, QueueFullError, QueueUnavailableError
from ..room import Part, Room

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]

Header = tuple[bytes, bytes]
Headers = list[Header]
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


class Answer(NamedTuple):
    """What the collector says to one request."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (JSON,)


#: Takes the answer of one request.
Reply = Callable[[Answer], None]
#: What nearly every client of 2019 is told.
ACCEPTED_ONE: Final = Answer(202, b'{"accepted": 1}')
FAILED: Final = Answer(500, b'{"error": "The server failed; its log says why."}')


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
        self._headers = headers

    @property
    def answer(self) -> Answer:
        body = msgspec.json.encode({"error": str(self)})
        return Answer(self.status, body, (JSON, *self._headers))


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
        self.room = Room()
        # Long bodies are decoded here and not on the event loop, one after the other: decoding
        # keeps the interpreter to itself, so that more threads would only take more memory.
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decoder")

    def close(self) -> None:
        """Give the thread back. What is being decoded is still answered."""
        self._decoder.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            key = _key(str(scope["path"]))
            if scope["method"] in ("GET", "HEAD"):
                await self._show(scope, key, send)
                return
            answer = await self._collect(scope, key, receive)
        except Refusal as refusal:
            answer = self._refuse(refusal)
        except KeysUnavailableError as error:
            answer = self._unknown(error)
        except ClientGoneError:
            return
        await _send(send, answer)

    async def _show(self, scope: Scope, key: str, send: Send) -> None:
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        found = self._find(key)
        known = found is not None and not found.revoked
        html, headers = self._page(f"{scope['scheme']}://{host}", key, known)
        await _send(send, Answer(200 if known else 404, html.encode(), (HTML, *headers)))

    async def _collect(self, scope: Scope, key: str, receive: Receive) -> Answer:
        """The answer to one request, whose body is still to come. Raises Refusal."""
        if scope["method"] != "POST":
            raise Refusal(
                405, "Post requests here as JSON; this address takes no other method than POST.",
                (b"allow", b"POST, GET, HEAD"),
            )  # fmt: skip
        found = self._working(key)
        headers = dict(scope["headers"])
        with self.room.part() as part:
            try:
                gzip = _gzip(headers)
                body = await _read(headers, receive, part)
            except Refusal as refusal:
                return self._refuse(refusal, found)
            answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._take(found, gzip, body, partial(_set, answered))
            return await answered

    def welcomes(self, path: str) -> bool:
        """Whether the body of a post is worth reading: strangers take no memory with one."""
        try:
            found = self._find(_key(path))
        except (Refusal, KeysUnavailableError):
            return False
        return found is not None and not found.revoked

    def post(
        self, path: str, headers: dict[bytes, bytes], body: bytes | None, answer: Reply
    ) -> None:
        """A POST whose body is here already; `answer` is called at once or later on this loop.

        No body: there was no room for it.
        """
        try:
            found = self._working(_key(path))
        except Refusal as refusal:
            answer(self._refuse(refusal))
            return
        except KeysUnavailableError as error:
            answer(self._unknown(error))
            return
        try:
            gzip = _gzip(headers)
            if body is None:
                raise _no_room()
        except Refusal as refusal:
            answer(self._refuse(refusal, found))
        else:
            self._take(found, gzip, body, answer)

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

    def _refuse(self, refusal: Refusal, key: KnownKey | None = None) -> Answer:
        """Count a refusal, and say it."""
        if key is not None and (reason := REASONS.get(refusal.status)):
            self._meter.refuse(key, reason)
        self.counts.refused[refusal.reason] += 1
        return refusal.answer

    def _unknown(self, error: KeysUnavailableError) -> Answer:
        self.counts.refused[AWAY] += 1
        return Refusal(503, _not_kept(error), RETRY_AFTER).answer

    # -- from the body to the answer: without coroutines, which cost more than all of it ----------

    def _take(self, key: KnownKey, gzip: bool, body: bytes, answer: Reply) -> None:
        try:
            text = _small(body, gzip)
            message = None if text is None else _message(text)
        except Refusal as refusal:
            answer(self._refuse(refusal, key))
            return
        if text is not None and message is not None:
            self._keep(key, gzip, body, message, len(text), answer)
            return
        decoding = asyncio.get_running_loop().run_in_executor(
            self._decoder, _long_message, body, gzip
        )
        decoding.add_done_callback(partial(self._decoded, key, gzip, body, answer))

    def _decoded(
        self,
        key: KnownKey,
        gzip: bool,
        body: bytes,
        answer: Reply,
        decoding: "asyncio.Future[tuple[Batch | Single, int]]",
    ) -> None:
        try:
            message, weight = decoding.result()
        except Refusal as refusal:
            answer(self._refuse(refusal, key))
        except (Exception, asyncio.CancelledError):
            log.exception("A body could not be decoded")
            answer(FAILED)
        else:
            self._keep(key, gzip, body, message, weight, answer)

    def _keep(
        self,
        key: KnownKey,
        gzip: bool,
        body: bytes,
        message: Batch | Single,
        weight: int,
        answer: Reply,
    ) -> None:
        requests, instance = _counted(message)
        envelope = Envelope(
            key.project_id, time.time_ns() // 1000, gzip, body, message=message, weight=weight
        )
        over = self._meter.admit(key, requests, instance)
        if over is not None:
            self._meter.refuse(key, over.reason)
            self._meter.hold(key, requests, instance, over.reason)
            answer(self._refuse(_over_quota(over)))
            return
        kept = partial(self._kept, key, requests, instance, answer)
        try:
            self._queue.put_soon(envelope, kept)
        except (QueueFullError, QueueUnavailableError) as error:
            kept(error)
        except BaseException:
            self._meter.take_back(key, requests)
            raise

    def _kept(
        self,
        key: KnownKey,
        requests: int,
        instance: str | None,
        answer: Reply,
        error: QueueFullError | QueueUnavailableError | None,
    ) -> None:
        if error is None:
            self._meter.accepted(key, requests, instance)
            self.counts.batches += 1
            self.counts.requests += requests
            answer(ACCEPTED_ONE if requests == 1 else _accepted(requests))
            return
        self._meter.take_back(key, requests)
        if isinstance(error, QueueFullError):
            refusal = Refusal(
                503, "More is waiting to be stored than this server may keep; send it again later.",
                RETRY_AFTER,
            )  # fmt: skip
            answer(self._refuse(refusal, key))
        else:
            answer(self._refuse(Refusal(503, _not_kept(error), RETRY_AFTER), key))


def _no_room() -> Refusal:
    return Refusal(
        503, "More is being received than this server has memory for; send it again later.",
        RETRY_AFTER,
    )  # fmt: skip


def _accepted(requests: int) -> Answer:
    return Answer(202, b'{"accepted": %d}' % requests)


def _not_kept(error: Exception) -> str:
    return f"Not kept ({error}); send it again later."


def _set(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _over_quota(over: Over) -> Refusal:
    return Refusal(
        429,
        f"The project is over its quota of {over.quota:,} {QUOTAS[over.reason]}; "
        f"send it again in {over.seconds:,} s.",
        (b"retry-after", b"%d" % over.seconds),
        reason=over.reason,
    )


def _key(path: str) -> str:
    """The key in the address; hex digits mean the same in upper case. Raises Refusal."""
    found = ADDRESS.fullmatch(path)
    if found is None:
        raise Refusal(
            404, "There is nothing at this address; post to the project's DSN, "
            "https://host/v1/collector/<32 hex digits>.",
        )  # fmt: skip
    return found[1].lower()


def _gzip(headers: dict[bytes, bytes]) -> bool:
    """Whether the body is packed; the only other form is bare JSON. Raises Refusal."""
    kind = headers.get(b"content-type", JSON[1])
    if kind != JSON[1] and kind.partition(b";")[0].strip().lower() != JSON[1]:
        kind = kind.partition(b";")[0].strip().lower()
        raise Refusal(
            415, f"The content type is {kind.decode('latin-1')!r}; send application/json."
        )
    if b"content-encoding" not in headers:
        return False
    encoding = headers[b"content-encoding"].strip().lower()
    if encoding not in (b"gzip", b"identity"):
        raise Refusal(
            415,
            f"The content encoding is {encoding.decode('latin-1')!r}; send gzip, or none at all.",
        )
    return encoding == b"gzip"


async def _read(headers: dict[bytes, bytes], receive: Receive, part: Part) -> bytes:
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
        if not part.grow(len(chunk)):
            raise _no_room()
        more = message.get("more_body", False)
    return b"".join(chunks)


def _small(body: bytes, gzip: bool) -> bytes | None:
    """The text of a body, if the event loop may decode it itself: in milliseconds, whatever it
    holds. Raises Refusal where it is malformed."""
    if len(body) > SMALL:
        return None
    if not gzip:
        return body
    try:
        return unpack(body, SMALL)
    except PayloadTooLargeError:
        return None
    except PayloadError as error:
        raise Refusal(400, str(error)) from error


def _long_message(body: bytes, gzip: bool) -> tuple[Batch | Single, int]:
    """What a body says, and how long it is as JSON. Raises Refusal where it is malformed."""
    try:
        text = unpack(body) if gzip else body
    except PayloadTooLargeError as error:
        raise Refusal(413, str(error)) from error
    except PayloadError as error:
        raise Refusal(400, str(error)) from error
    return _message(text), len(text)


def _message(text: bytes) -> Batch | Single:
    try:
        return decode(text)
    except PayloadError as error:
        raise Refusal(400, str(error)) from error


def _counted(message: Batch | Single) -> tuple[int, str | None]:
    """How many requests it carries, and whose it is; the 2019 client does not say."""
    if isinstance(message, Single):
        return 1, None
    return len(message.requests), message.instance.id


async def _send(send: Send, answer: Answer) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    headers = [length, *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
