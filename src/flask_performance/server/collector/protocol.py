"""HTTP/1.1 of one connection: posts to the collector go straight to it, all else is uvicorn's.

ASGI makes a task, three coroutines and a dozen objects of every request; a single request of the
2019 client, of which there are tens of thousands a second, spends more time there than in being
decoded and stored. So a post of the usual form (its length told, small, nothing waiting before it)
is collected while it is parsed, and answered with one write. What is unusual goes the long way,
to the same collector: no rule about what is accepted stands here.
"""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from .endpoint import Answer, Collector, Header

#: A post of the usual form.
PATH: Final = re.compile(rb"/v1/collector/[0-9A-Za-z]+/?")
#: Longer bodies take the long way, where reading waits for a slow reader (bytes).
MOST: Final = 4 * 1024**2
#: What separates a request's head from its body.
HEAD_END: Final = b"\r\n\r\n"
#: So many heads are remembered, each of at most so many bytes.
SEEN: Final = 1_000
MOST_SEEN: Final = 1024
#: Headers of a request; clients send some hundred bytes.
MOST_HEAD: Final = 64 * 1024
#: How long a request's headers may take, its body, and how long a connection may say nothing
#: (seconds).
HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 75.0


class Post(RequestResponseCycle):
    """One post on its way. For uvicorn it is a request that is being answered."""

    #: uvicorn sets it when the client leaves; here nobody waits.
    message_event = asyncio.Event()
    response_complete = False
    disconnected = False

    def __init__(
        self, protocol: "CollectorProtocol", headers: dict[bytes, bytes], *, keep_alive: bool
    ) -> None:
        # Not super's: that is what is to be saved.
        self._protocol = protocol
        self.headers = headers
        self.chunks: list[bytes] = []
        self.part = protocol.room.part()
        self.keep_alive = keep_alive

    def answer(self, answer: Answer) -> None:
        self.response_complete = True
        self.part.give_back()
        self._protocol.answer(self, answer)


class Seen:
    """Heads of posts as they were read before: a client's are all alike, and parsing one costs more
    than collecting what it brings."""

    def __init__(self) -> None:
        #: Path, headers, and the length of the body.
        self._heads: dict[bytes, tuple[str, dict[bytes, bytes], int]] = {}

    def remember(self, message: bytes, path: str, headers: dict[bytes, bytes], size: int) -> None:
        """If the message is whole: its head with what it said, and so much of a body."""
        end = message.find(HEAD_END) + len(HEAD_END)
        if end <= MOST_SEEN and len(message) == end + size:
            if len(self._heads) >= SEEN:
                self._heads.clear()
            self._heads[message[:end]] = path, headers, size

    def read(self, message: bytes) -> tuple[str, dict[bytes, bytes], bytes] | None:
        """Path, headers and body of a message that is whole, if its head was seen before."""
        end = message.find(HEAD_END, 0, MOST_SEEN) + len(HEAD_END)
        found = self._heads.get(message[:end])
        if found is None or len(message) != end + found[2]:
            return None
        return found[0], found[1], message[end:]


class Heads:
    """The bytes before the bodies of answers, made once and not for each."""

    def __init__(self, common: Sequence[Header]) -> None:
        self._common = _lines(common)
        self._made: dict[tuple[int, int, tuple[Header, ...]], bytes] = {}
        self._dated: Sequence[Header] = ()

    def of(self, answer: Answer, dated: Sequence[Header]) -> bytes:
        """`dated`: headers that uvicorn makes anew every second."""
        if dated is not self._dated:
            self._dated = dated
            self._made.clear()
        place = (answer.status, len(answer.body), answer.headers)
        head = self._made.get(place)
        if head is None:
            phrase = HTTPStatus(answer.status).phrase.encode()
            head = b"".join((
                b"HTTP/1.1 %d %b\r\n" % (answer.status, phrase), _lines(dated),
                b"content-length: %d\r\n" % len(answer.body), _lines(answer.headers),
                self._common,
            ))  # fmt: skip
            self._made[place] = head
        return head


def _lines(headers: Sequence[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)


class CollectorProtocol(HttpToolsProtocol):
    """Give it to uvicorn as a `partial` that knows the first three."""

    def __init__(
        self,
        collector: Collector,
        heads: Heads,
        seen: Seen,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._collector = collector
        self.room = collector.room
        self._heads = heads
        self._seen = seen
        #: Whether the parser is within a message, and what was read last while it was not.
        self._parsing = False
        self._first = b""
        #: Since when the client owes us the rest of a head or a body, or a new request; None: it
        #: does not.
        self._since: float | None = self.loop.time()
        self._idle = False
        self._in_body = False
        self._head_size = 0

    # -- bounds ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._idle:
            self._idle = False
            self._since = self.loop.time()
        if not self._parsing and self._is_free():
            found = self._seen.read(data)
            if found is not None:
                path, headers, body = found
                self._since = None
                self.cycle = post = Post(self, headers, keep_alive=True)
                kept = body if post.part.grow(len(body)) else None
                self._collector.post(path, headers, kept, post.answer)
                return
        self._first = b"" if self._parsing else data
        super().data_received(data)
        waits = self._since is not None and not (self._idle or self._in_body)
        if waits and not self.transport.is_closing():
            self._head_size += len(data)
            if self._head_size > MOST_HEAD:
                self.send_400_response("The headers are too long.")

    def close_if_late(self, now: float) -> None:
        """Called every second for every connection: slow clients hold no place."""
        if self._since is None:
            return
        if self._in_body and self.flow.read_paused:
            self._since = now  # it is we who are late
        allowed = BODY_SECONDS if self._in_body else HEAD_SECONDS
        if now - self._since > (IDLE_SECONDS if self._idle else allowed):
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # A body that is whole has its room until it is answered.
        if self._in_body and isinstance(self.cycle, Post):
            self.cycle.part.give_back()

    # -- requests --------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._parsing = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        self._since, self._idle, self._in_body = self.loop.time(), False, True
        self._head_size = 0
        headers = dict(self.headers)
        if self._is_usual(headers):
            self.cycle = Post(self, headers, keep_alive=self._keeps_alive())
            return
        url, found, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()  # which makes the scope, and forgets these
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(found)
        super().on_headers_complete()

    def _is_usual(self, headers: dict[bytes, bytes]) -> bool:
        length = headers.get(b"content-length", b"")
        return (
            self.parser.get_method() == b"POST"
            and PATH.fullmatch(self.url) is not None
            and length.isdigit()
            and len(length) < 8
            and int(length) <= MOST
            and self._is_free()
            and not self.expect_100_continue
            and b"upgrade" not in headers
            and self._collector.welcomes(self.url.decode("ascii"))
        )

    def _is_free(self) -> bool:
        """Whether all that came before is answered."""
        return self.cycle is None or self.cycle.response_complete

    def _keeps_alive(self) -> bool:
        return bool(self.parser.should_keep_alive()) and self.parser.get_http_version() != "1.0"

    def on_body(self, body: bytes) -> None:
        post = self.cycle
        if not isinstance(post, Post):
            super().on_body(body)
        elif post.response_complete:
            pass  # it was refused
        elif post.part.grow(len(body)):
            post.chunks.append(body)
        else:
            post.keep_alive = False
            self._collector.post(self.url.decode("ascii"), post.headers, None, post.answer)

    def on_message_complete(self) -> None:
        post = self.cycle
        self._parsing = self._in_body = False
        self._since = None
        if not isinstance(post, Post):
            super().on_message_complete()
        if post.response_complete:  # it was refused before it was whole
            self._idle, self._since = True, self.loop.time()
        elif isinstance(post, Post):
            self._on_post_complete(post)

    def _on_post_complete(self, post: Post) -> None:
        path, body = self.url.decode("ascii"), b"".join(post.chunks)
        if post.keep_alive:
            self._seen.remember(self._first, path, post.headers, len(body))
        self._collector.post(path, post.headers, body, post.answer)

    # -- answers ---------------------------------------------------------------------------------

    def answer(self, post: Post, answer: Answer) -> None:
        """What was kept is kept, whether its client still listens or not."""
        if post.disconnected or self.transport.is_closing():
            return
        head = self._heads.of(answer, self.server_state.default_headers)
        end = b"\r\n" if post.keep_alive else b"connection: close\r\n\r\n"
        self.transport.write(b"".join((head, end, answer.body)))
        if not post.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, without its timer a request: `close_if_late` sees to that."""
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._since is None:
            self._idle, self._since = True, self.loop.time()
