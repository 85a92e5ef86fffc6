"""What an exception in a view leaves behind for the record: its type, and the route it left."""

from types import TracebackType
from typing import Any, Final

from flask import Flask, got_request_exception, request
from werkzeug.exceptions import HTTPException

from .buffer import Buffer

#: Where the exception of an unhandled error waits in the environ until the response ends.
EXCEPTION_KEY: Final = "flask_performance.exception"


def exception_name(error: BaseException) -> str:
    """The qualified name of an exception's type, as a traceback prints it."""
    kind = type(error)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def rule_in(traceback: TracebackType | None) -> Any:
    """The rule of the request that an exception left: Flask forgets the request on the way out."""
    while traceback is not None:
        if traceback.tb_frame.f_code is Flask.wsgi_app.__code__:
            context = traceback.tb_frame.f_locals.get("ctx")
            return getattr(getattr(context, "request", None), "url_rule", None)
        traceback = traceback.tb_next
    return None


class ExceptionNotes:
    """Leaves the type of an unhandled exception in the environ: Flask turns it into a 500 before
    anything reaches a WSGI wrapper. Costs nothing where nothing is raised.

    Flask's signal holds it weakly; whoever installs it keeps it.
    """

    def __init__(self, app: Flask, buffer: Buffer) -> None:
        self._buffer = buffer
        got_request_exception.connect(self._note, app)

    def _note(self, sender: Flask, exception: BaseException, **_: Any) -> None:  # noqa: ARG002
        # Connexion 2 sends the signal of its own answers, too: 404s, and 500s around the error.
        original = getattr(exception, "original_exception", None) or exception
        if not isinstance(original, HTTPException):
            request.environ[EXCEPTION_KEY] = exception_name(original)
            self._buffer.raised = True
