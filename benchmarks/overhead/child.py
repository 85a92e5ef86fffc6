"""One contender in a fresh process: prints its figures as JSON.

`child.py NAME PORT REQUESTS` installs the contender, whose collector listens on PORT, and calls the
app back to back, in-process. With 0 requests it only starts.
"""

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))


def environ(path: str) -> dict[str, Any]:
    """As a server builds it for a browser's GET behind a proxy."""
    return {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
        "RAW_URI": path, "REQUEST_URI": path, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "bench", "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "54321", "HTTP_HOST": "shop.example:8000", "HTTP_CONNECTION": "keep-alive",
        "HTTP_ACCEPT": "text/html,application/json;q=0.9,*/*;q=0.8",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate, br", "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
        "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(), "wsgi.multithread": False, "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }  # fmt: skip


def make_app() -> Any:
    from flask import Flask, jsonify

    app = Flask("bench")
    app.add_url_rule("/", "index", lambda: "Hello, World!")
    app.add_url_rule("/users/<int:id>", "user", lambda id: jsonify(id=id, name="Ada", active=True))
    return app


def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
    if not status.startswith("200"):
        raise AssertionError(status)


def drive(app: Any, requests: int) -> list[int]:
    """Nanoseconds of each request, "/" and "/users/7" in turn. The environ is copied outside the
    timer; the body is consumed and closed inside it."""
    bases = [environ("/"), environ("/users/7")]
    took = []
    for number in range(requests):
        copy = bases[number % 2].copy()
        began = time.perf_counter_ns()
        body = app(copy, start_response)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()
        took.append(time.perf_counter_ns() - began)
    return took


def peak_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return 0


def at(values: list[int], share: float) -> float:
    """The quantile of nanoseconds, in microseconds."""
    return sorted(values)[int(len(values) * share)] / 1000


def figures_of(app: Any, flush: Any, requests: int) -> dict[str, float]:
    warm_up = max(100, requests // 10)
    drive(app, warm_up)
    flush()
    cpu, began = time.process_time_ns(), time.perf_counter()
    took = drive(app, requests)
    seconds = time.perf_counter() - began
    flush()
    cpu = time.process_time_ns() - cpu
    return {
        "p50_us": (at(took[0::2], 0.5) + at(took[1::2], 0.5)) / 2,
        "p99_us": at(took, 0.99),
        "p999_us": at(took, 0.999),
        "mean_us": sum(took) / len(took) / 1000,
        "cpu_us": cpu / requests / 1000,
        "peak_mb": peak_kib() / 1024,
        "per_second": requests / seconds,
        "requests": requests + warm_up,
    }


def main() -> None:
    name, port, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    import flask  # noqa: F401  bare Flask's own start is not measured
    from contenders import CONTENDERS

    contender = next(contender for contender in CONTENDERS if contender.name == name)
    began = time.perf_counter_ns()
    app = make_app()
    flush = contender.install(app, port)
    figures: dict[str, float] = {"start_ms": (time.perf_counter_ns() - began) / 1e6}
    if requests:
        figures |= figures_of(app, flush, requests)
    print(json.dumps(figures), flush=True)
    os._exit(0)  # all of it was flushed above


if __name__ == "__main__":
    main()
