"""`python -m benchmarks.overhead.parts [BLOCKS]`: where the time on a request's thread goes.

Wrappers that do more and more of what the recorder does, called in shuffled blocks in one process;
nothing is sent. A block's figure is its median, a wrapper's the tenth percentile of its blocks less
that of bare Flask: the machine's quieter moments.
"""

import random
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from werkzeug.wsgi import ClosingIterator

from flask_performance.buffer import Buffer
from flask_performance.hooks import Hooks
from flask_performance.recorder import wrap
from flask_performance.recording import Recording

from . import contenders
from .child import drive, make_app

Wsgi = Callable[[Any, Any], Any]
clock = time.perf_counter_ns
#: Requests of a block.
BLOCK = 300

queue: deque[tuple[Any, ...]] = deque()
append = queue.append


def call(inner: Wsgi) -> Wsgi:
    return lambda environ, answer: inner(environ, answer)


def clocks(inner: Wsgi) -> Wsgi:
    def wsgi_app(environ: Any, answer: Any) -> Any:
        clock()
        body = inner(environ, answer)
        clock()
        return body

    return wsgi_app


def record(inner: Wsgi) -> Wsgi:
    def wsgi_app(environ: Any, answer: Any) -> Any:
        begin = clock()
        body = inner(environ, answer)
        append((begin, clock(), None, None, None, None, None, None))
        return body

    return wsgi_app


def names(inner: Wsgi) -> Wsgi:
    def wsgi_app(environ: Any, answer: Any) -> Any:
        begin = clock()
        path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        body = inner(environ, answer)
        append((begin, clock(), None, None, None, environ["REQUEST_METHOD"], path, None))
        return body

    return wsgi_app


def said(inner: Wsgi) -> Wsgi:
    def wsgi_app(environ: Any, answer: Any) -> Any:
        begin = clock()
        it = Recording()
        it.environ = environ
        it.answer = answer
        path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        body = inner(environ, it.start_response)
        method = environ["REQUEST_METHOD"]
        append((begin, clock(), it.status, it.rule, None, method, path, None))
        return body

    return wsgi_app


def sized(inner: Wsgi) -> Wsgi:
    def wsgi_app(environ: Any, answer: Any) -> Any:
        begin = clock()
        it = Recording()
        it.environ = environ
        it.answer = answer
        path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        body = inner(environ, it.start_response)
        if type(body) is ClosingIterator:
            # Private as in the recorder: what is measured is its way.
            [part] = body._callbacks[-1].__self__.response  # type: ignore[attr-defined]  # noqa: SLF001
            method = environ["REQUEST_METHOD"]
            append((begin, clock(), it.status, it.rule, len(part), method, path, None))
        return body

    return wsgi_app


def ours(inner: Wsgi) -> Wsgi:
    buffer = Buffer(10 * BLOCK, 0, lambda: None)
    buffer.limit = sys.maxsize
    buffer.idle = buffer.curious = False
    buffers.append(buffer.queue)
    return wrap(inner, buffer, Hooks())


buffers: list[deque[Any]] = [queue]
PARTS: dict[str, Callable[[Wsgi], Wsgi]] = {
    "bare": lambda inner: inner,
    "a call": call,
    "two clocks": clocks,
    "a record that waits": record,
    "path and method": names,
    "status and route (start_response)": said,
    "size of a body in memory": sized,
    "rare headers, bounds, flags: the recorder": ours,
}


def floor(app: Any) -> Wsgi:
    """The benchmark's floor, for comparison: it is written plainly and knows no route."""
    contenders.floor(app, 0)
    wrapped: Wsgi = app.wsgi_app
    return wrapped


def block(wsgi_app: Wsgi) -> int:
    took = drive(wsgi_app, BLOCK)
    for waiting in buffers:
        waiting.clear()
    return sorted(took)[BLOCK // 2]


def main() -> None:
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    app = make_app()
    inner = app.wsgi_app
    wrapped = {name: part(inner) for name, part in PARTS.items()}
    wrapped["floor, for comparison"] = floor(app)
    took: dict[str, list[int]] = {name: [] for name in wrapped}
    for _ in range(blocks):
        for name in random.sample(list(wrapped), len(wrapped)):
            took[name].append(block(wrapped[name]))
    tenth = {name: sorted(values)[blocks // 10] / 1000 for name, values in took.items()}
    show(tenth)


def show(tenth: dict[str, float]) -> None:
    before = bare = tenth.pop("bare")
    print(f"Bare Flask: {bare:.2f} µs.\n\n| with | added µs | by this step |\n|---|--:|--:|")
    for name, value in tenth.items():
        print(f"| {name} | {value - bare:.2f} | {value - before:+.2f} |")
        before = value


if __name__ == "__main__":
    main()
