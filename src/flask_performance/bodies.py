"""Where a request ends whose body is not small and in memory: a stream that is watched, or a body
that a server must get untouched."""

import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from .encoder import whole
from .recording import COMPLETED, Recording, clock


class Stream:
    """A body on its way to the server, watched chunk by chunk."""

    __slots__ = ("_body", "_recording")

    def __init__(self, body: Iterable[bytes], recording: Recording) -> None:
        self._body = body
        self._recording = recording

    def __iter__(self) -> Iterator[bytes]:
        recording = self._recording
        recording.sent = sent = 0
        tested = in_test_client(recording.answer)
        length = content_length(recording.headers) if tested else None
        try:
            for chunk in self._body:
                if not sent:
                    recording.more().first_ns = clock()
                recording.sent = sent = sent + len(chunk)
                if sent == length:
                    recording.outcome = COMPLETED
                    recording.finish()
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            recording.fail(error)
            raise
        recording.outcome = COMPLETED
        if tested:
            recording.finish()

    def __del__(self) -> None:
        self._recording.finish()  # nobody closed the body

    def close(self) -> None:
        recording = self._recording
        if recording.sent is None and recording.environ["REQUEST_METHOD"] == "HEAD":
            recording.outcome = COMPLETED  # a server need not look for a body
        recording.finish()
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def watched(body: Iterable[bytes], recording: Recording) -> Iterable[bytes]:
    """What the server gets: a Stream, or the body itself where it must not be touched."""
    if isinstance(body, (tuple, list)):
        recording.outcome = COMPLETED
        recording.sent = sum(map(len, body))
        finish_unsaid(recording)
        return body
    if is_file(body, recording.environ.get("wsgi.file_wrapper")):
        recording.outcome = COMPLETED
        recording.sent = content_length(recording.headers)
        finish_with(body, recording)
        return body
    return Stream(body, recording)


def finish_unsaid(recording: Recording) -> None:
    """The end of a request whose app may not have called start_response: then it took the socket
    over, or it broke and the server answers 500."""
    if recording.status is None:
        recording.status = 101 if "HTTP_UPGRADE" in recording.environ else 500
    recording.finish()


def is_file(body: object, file_wrapper: Any) -> bool:
    """Whether a server may send `body` by its own fast path (`wsgi.file_wrapper`, sendfile)."""
    if file_wrapper is None:
        return False
    if isinstance(file_wrapper, type):
        return isinstance(body, file_wrapper)
    return hasattr(body, "read")  # uWSGI's is a function and returns the file


def finish_with(body: object, recording: Recording) -> None:
    """Finish when the server lets go of a body that must stay untouched."""
    try:
        weakref.finalize(body, recording.finish).atexit = False
    except TypeError:  # no weak references to it: the end of the app's part has to do
        recording.finish()


def in_test_client(start_response: object) -> bool:
    """Werkzeug's test client does not close a response that its caller keeps; there, the end of the
    content has to do for the end of the request."""
    return getattr(start_response, "__module__", None) == "werkzeug.test"


def content_length(headers: list[tuple[str, str]]) -> int | None:
    for name, value in headers:
        if name.lower() == "content-length":
            return whole(value)
    return None
