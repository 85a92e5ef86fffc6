"""The hot path: a wrapper around `app.wsgi_app` that times a request to the end of its body.

The clock starts at entry. It ends when the server has written the last of the body or closes it
early (what the app does after that, `call_on_close`, keeps no client waiting), or at once where the
body is small and complete in memory. The status is what the app tells `start_response`; at that
moment the request's context still stands, so the route is read from the request that Flask matched,
never matched again.

    wsgi_app ── Recording (start_response) ──▶ Buffer
                   └─ body: small and in memory, or a Stream, or a file that stays untouched

Everything that every request runs through is written for few bytecodes and little memory: that is
why it reads flatter than the rest, why all that is unusual leaves it as an `Ending`, and why what
can be computed later is left to the sender. `benchmarks/overhead` says what each part costs.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from werkzeug.wsgi import ClosingIterator

from .bodies import finish_unsaid, finish_whole, watched
from .buffer import Buffer
from .connexion3 import status_of
from .exceptions import EXCEPTION_KEY
from .hooks import Hooks
from .recording import COMPLETED, Ending, Recording, clock, curious_recording, keep_context, rare

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: A body of fewer bytes goes into the socket's buffer in one write, which neither waits for the
#: client nor learns that it has left: there is nothing to watch.
ONE_WRITE: Final = 16384


def wrap(inner: "WSGIApplication", buffer: Buffer, hooks: Hooks) -> "WSGIApplication":
    """A WSGI application that does what `inner` does and offers a record of it to `buffer`."""
    queue, append = buffer.queue, buffer.append

    def wsgi_app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        begin = clock()
        recording = curious_recording(buffer, hooks) if buffer.curious else Recording()
        recording.environ = environ
        recording.answer = start_response
        try:
            # Read now, as whatever the app mounts inside changes them. `in` and `[]` are single
            # instructions of the interpreter, `get` is a call.
            path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        except (KeyError, TypeError):
            path = incomplete_path(environ)
        if "HTTP_UPGRADE" in environ:
            keep_context(recording)
        try:
            body = inner(environ, recording.start_response)
        except BaseException as error:
            finish_raised(Ending(recording, buffer, begin, path), error)
            raise
        if type(body) is ClosingIterator:
            try:
                # A small body that is complete in memory, by far the most frequent, is as good as
                # sent: the server gets it as it is, and there is nothing to watch. What is asked
                # here of Werkzeug is private; where it is not so, we watch a stream.
                parts = body._callbacks[-1].__self__.response  # type: ignore[attr-defined]
                [part] = parts if type(parts) is list else ()  # type: ignore[misc]
                rule = recording.rule
                status = recording.status
                method = environ["REQUEST_METHOD"]
            except (AttributeError, LookupError, TypeError, ValueError):
                pass
            else:
                if type(part) is bytes and len(part) < ONE_WRITE:
                    if type(recording) is not Recording or (
                        buffer.raised and EXCEPTION_KEY in environ
                    ):
                        finish_whole(Ending(recording, buffer, begin, path), len(part))
                        return body
                    if (
                        # uWSGI always has it, mostly empty.
                        ("CONTENT_LENGTH" in environ and environ["CONTENT_LENGTH"])
                        or "HTTP_X_REQUEST_START" in environ
                        or "HTTP_X_QUEUE_START" in environ
                        or "HTTP_TRACEPARENT" in environ
                    ):
                        more = rare(environ, COMPLETED)
                    else:
                        more = None
                    if len(queue) < buffer.limit:
                        append((begin, clock(), status, rule, len(part), method, path, more))
                    else:
                        buffer.refuse()
                    if buffer.idle:
                        buffer.wake()
                    return body
        return watched(body, Ending(recording, buffer, begin, path))

    return wsgi_app


def incomplete_path(environ: "WSGIEnvironment") -> str:
    """The path where a server leaves out what is empty, or sets it to None."""
    return f"{environ.get('SCRIPT_NAME') or ''}{environ.get('PATH_INFO') or ''}"


def finish_raised(ending: Ending, error: BaseException) -> None:
    """The app raised instead of answering; the server answers 500 in its place."""
    recording = ending.recording
    ending.fail(error)
    recording.status = status_of(error, recording.environ)
    if recording.status is not None:
        ending.complete()  # Connexion's answer, not a fault
    elif isinstance(error, StopIteration) or "HTTP_UPGRADE" in recording.environ:
        ending.outcome = COMPLETED  # how a WebSocket tells gunicorn that it is done
    finish_unsaid(ending)
