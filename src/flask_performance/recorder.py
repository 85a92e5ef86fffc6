"""The hot path: a wrapper around `app.wsgi_app` that times a request to the end of its body.

The clock starts at entry. It ends when the server closes the response's iterable (what the app
does after that, `call_on_close`, keeps no client waiting), or at once where the body is small and
complete in memory. The status is what the app tells `start_response`; at that moment the request's
context still stands, so the route is read from the request that Flask matched, never matched again.

    wsgi_app ── Recording (start_response) ──▶ Buffer
                   └─ body: small and in memory, or a Stream, or a file that stays untouched

Everything that every request runs through is written for few bytecodes: that is why it reads
flatter than the rest, and why what can be computed later is left to the sender.
`benchmarks/overhead` says where each tenth of a microsecond goes.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from werkzeug.wsgi import ClosingIterator

from .bodies import finish_unsaid, watched
from .buffer import Buffer
from .exceptions import EXCEPTION_KEY
from .recording import COMPLETED, Recording, clock, curious_recording
from .rules import Hooks

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: A body of fewer bytes goes into the socket's buffer in one write, which neither waits for the
#: client nor learns that it has left: there is nothing to watch.
ONE_WRITE: Final = 16384


def wrap(inner: "WSGIApplication", buffer: Buffer, hooks: Hooks) -> "WSGIApplication":
    """A WSGI application that does what `inner` does and offers a record of it to `buffer`."""

    def wsgi_app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        begin = clock()
        if buffer.curious:
            recording = curious_recording(buffer, hooks)
        else:
            recording = Recording()
            recording.extra = None
        recording.environ = environ
        recording.answer = start_response
        # Read now, as whatever the app mounts inside changes them. `in` and `[]` are single
        # instructions of the interpreter, `get` is a call.
        script = environ["SCRIPT_NAME"] if "SCRIPT_NAME" in environ else ""
        path = environ["PATH_INFO"] if "PATH_INFO" in environ else ""
        if "HTTP_UPGRADE" in environ:
            recording.keep_context()
        try:
            body = inner(environ, recording.start_response)
        except BaseException as error:
            finish_raised(recording.settle(buffer, begin, script, path), error)
            raise
        if type(body) is ClosingIterator and "SERVER_SOFTWARE" in environ:
            try:
                # A small body that is complete in memory, by far the most frequent, is as good as
                # sent: the server gets it as it is, and there is nothing to watch. What is asked
                # here of Werkzeug is private; where it is not so, we watch a stream.
                parts = body._callbacks[-1].__self__.response  # type: ignore[attr-defined]
                [part] = parts if type(parts) is list else ()  # type: ignore[misc]
                rule = recording.rule
                status = recording.status
            except (AttributeError, LookupError, TypeError, ValueError):
                pass
            else:
                if (
                    type(part) is bytes
                    and len(part) < ONE_WRITE
                    and not (buffer.raised and EXCEPTION_KEY in environ)
                ):
                    extra = recording.extra
                    if len(buffer.queue) < buffer.limit:
                        append = buffer.append  # called as a method it would cost twice as much
                        append(
                            (
                                begin,
                                clock(),
                                status,
                                COMPLETED,
                                None if rule is None else rule.rule,
                                None if rule is None else rule.endpoint,
                                len(part),
                                environ["REQUEST_METHOD"],
                                script,
                                path,
                                environ["CONTENT_LENGTH"] if "CONTENT_LENGTH" in environ else None,
                                environ["HTTP_X_REQUEST_START"]
                                if "HTTP_X_REQUEST_START" in environ
                                else environ["HTTP_X_QUEUE_START"]
                                if "HTTP_X_QUEUE_START" in environ
                                else None,
                                environ["HTTP_TRACEPARENT"]
                                if "HTTP_TRACEPARENT" in environ
                                else None,
                                None if extra is None else extra.seal(),
                            )
                        )
                    else:
                        buffer.refuse()
                    if buffer.idle:
                        buffer.wake()
                    return body
        return watched(body, recording.settle(buffer, begin, script, path))

    return wsgi_app


def finish_raised(recording: Recording, error: BaseException) -> None:
    """The app raised instead of answering; the server answers 500 in its place."""
    recording.status = None
    recording.fail(error)
    if isinstance(error, StopIteration) or "HTTP_UPGRADE" in recording.environ:
        recording.outcome = COMPLETED  # how a WebSocket tells gunicorn that it is done
    finish_unsaid(recording)
