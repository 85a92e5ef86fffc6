"""The app that the tests of real servers serve. METRIC_DSN comes from the environment."""

import os
import signal
import sys
import time
from collections.abc import Iterator

from flask import Flask, Response, send_file
from werkzeug.serving import run_simple

from flask_performance import PerformanceCollector

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return "hello"


@app.get("/pid")
def pid() -> str:
    return str(os.getpid())


@app.get("/slow")
def slow() -> str:
    time.sleep(0.3)
    return "slow"


@app.get("/stream")
def stream() -> Response:
    def parts() -> Iterator[bytes]:
        for _ in range(3):
            time.sleep(0.02)
            yield b"x" * 1000

    return Response(parts())


@app.get("/endless")
def endless() -> Response:
    def parts() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    return Response(parts())


@app.get("/broken")
def broken() -> Response:
    def parts() -> Iterator[bytes]:
        yield b"x" * 1000
        raise RuntimeError

    return Response(parts())


@app.get("/file")
def file() -> Response:
    return send_file(__file__)


@app.get("/exit")
def leave() -> str:
    sys.exit(5)  # 3 and 4 tell gunicorn to give up


PerformanceCollector(app)


def main() -> None:
    """Servers that are functions, with `sys.exit` on SIGTERM as their users write it."""
    server, port = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if server == "waitress":
        import waitress

        waitress.serve(app, host="127.0.0.1", port=port, threads=4)
    else:
        run_simple("127.0.0.1", port, app, threaded=True)


if __name__ == "__main__":
    main()
