"""Where a request ends whose body is not small and in memory: a stream that is watched, or a body
that a server must get untouched."""

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .recording import COMPLETED, Ending, clock
from .texts import whole


class Stream:
    """A body on its way to the server, watched chunk by chunk."""

    __slots__ = ("_body", "_ending")

    def __init__(self, body: Iterable[bytes], ending: Ending) -> None:
        self._body = body
        self._ending = ending

    def __iter__(self) -> Iterator[bytes]:
        ending = self._ending
        ending.sent = sent = 0
        tested = in_test_client(ending.recording.answer)
        length = content_length(ending.recording.headers) if tested else None
        try:
            for chunk in self._body:
                if not sent:
                    ending.first_ns = clock()
                ending.sent = sent = sent + len(chunk)
                if sent == length:
                    ending.outcome = COMPLETED
                    ending.finish()
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            ending.fail(error)
            raise
        # The server has written all it was given. Some linger before they close (Werkzeug's for
        # 10 ms): no client waits for that, and the process may end meanwhile.
        ending.outcome = COMPLETED
        ending.finish()

    def __del__(self, ends: Callable[[], bool] = sys.is_finalizing) -> None:
        if ends():  # pragma: no cover  coverage has ended by then; test_processes has the case
            return  # nobody sends it any more, and what is called below may be gone
        self._ending.finish()  # nobody closed the body

    def close(self) -> None:
        ending = self._ending
        if ending.sent is None and ending.recording.environ["REQUEST_METHOD"] == "HEAD":
            ending.outcome = COMPLETED  # a server need not look for a body
        ending.finish()
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def watched(body: Iterable[bytes], ending: Ending) -> Iterable[bytes]:
    """What the server gets: a Stream, or the body itself where it must not be touched."""
    if isinstance(body, (tuple, list)):
        ending.outcome = COMPLETED
        ending.sent = sum(map(len, body))
        finish_unsaid(ending)
        return body
    if is_file(body, ending.recording.environ.get("wsgi.file_wrapper")):
        ending.outcome = COMPLETED
        ending.sent = content_length(ending.recording.headers)
        finish_with(body, ending)
        return body
    return Stream(body, ending)


def finish_whole(ending: Ending, size: int) -> None:
    """The body is complete in memory, and small enough to be as good as sent."""
    ending.outcome = COMPLETED
    ending.sent = size
    ending.finish()


def finish_unsaid(ending: Ending) -> None:
    """The end of a request whose app may not have called start_response: then it took the socket
    over, or it broke and the server answers 500."""
    recording = ending.recording
    if recording.status is None:
        recording.status = 101 if "HTTP_UPGRADE" in recording.environ else 500
    ending.finish()


def is_file(body: object, file_wrapper: Any) -> bool:
    """Whether a server may send `body` by its own fast path (`wsgi.file_wrapper`, sendfile)."""
    if file_wrapper is None:
        return False
    if isinstance(file_wrapper, type):
        return isinstance(body, file_wrapper)
    return hasattr(body, "read")  # uWSGI's is a function and returns the file


def finish_with(body: object, ending: Ending) -> None:
    """Finish when the server lets go of a body that must stay untouched."""
    try:
        weakref.finalize(body, ending.finish).atexit = False
    except TypeError:  # no weak references to it: the end of the app's part has to do
        ending.finish()


def in_test_client(start_response: object) -> bool:
    """Werkzeug's test client does not close a response that its caller keeps; there, the end of the
    content has to do for the end of the request."""
    return getattr(start_response, "__module__", None) == "werkzeug.test"


def content_length(headers: list[tuple[str, str]]) -> int | None:
    for name, value in headers:
        if name.lower() == "content-length":
            return whole(value)
    return None
