"""What the extension itself costs, measured where it runs, so that the dashboard can show it.

The hot path is timed on a small WSGI application that answers at once, wrapped and bare in turn: a
few dozen calls a minute on the sender's thread, none on a request's.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wsgi import ClosingIterator

from .buffer import Buffer
from .hooks import Hooks
from .recorder import wrap
from .threads import shares_threads
from .wire import Overhead

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CALLS: Final = 25
#: Measured again after so many seconds.
EVERY: Final = 60.0

_ENVIRON: Final = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
}


class _Response:
    """The two members of a werkzeug Response that the recorder looks at."""

    response: Final = [b"ok"]

    def close(self) -> None:
        pass


_response: Final = _Response()


def _answer(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    start_response("200 OK", [])
    return ClosingIterator(_response.response, _response.close)


def _call(app: "WSGIApplication") -> int:
    """Nanoseconds of one request."""
    environ: Any = dict(_ENVIRON)
    began = time.perf_counter_ns()
    body: Any = app(environ, _start_response)
    for _ in body:
        pass
    body.close()
    return time.perf_counter_ns() - began


def _start_response(status: str, headers: Any, exc_info: Any = None) -> Any:  # noqa: ARG001
    return None


def request_ns() -> int:
    """The median that the recorder adds to a request at this moment, in nanoseconds."""
    buffer = Buffer(CALLS, 0, lambda: None)
    buffer.idle = False
    wrapped = wrap(_answer, buffer, Hooks())
    added = sorted(_call(wrapped) - _call(_answer) for _ in range(CALLS))
    return max(0, added[CALLS // 2])


class Meter:
    """Measures the hot path once a minute, and counts the sender's processor time."""

    def __init__(self) -> None:
        self._request_ns = 0
        self._measure_at = 0.0

    def member(self) -> Overhead:
        """For the batch that is being cut. Called on the sender's thread."""
        if time.monotonic() >= self._measure_at:
            self._measure_at = time.monotonic() + EVERY
            self._request_ns = request_ns()
        overhead: Overhead = {"request_ns": self._request_ns}
        if not shares_threads():
            overhead["sender_cpu_us"] = time.thread_time_ns() // 1000
        return overhead
