"""One run of a contender: a fresh process beside a stub collector of its own."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .contenders import CONTENDERS, Contender
from .environments import python_of

HERE = Path(__file__).parent
BARE = CONTENDERS[0]

Figures = dict[str, Any]
#: A bare run and the contender's directly after it.
Pair = tuple[Figures, Figures]


class FailedError(Exception):
    """A contender's process ended with an error; the message is the end of what it said."""


@contextmanager
def stub() -> Iterator[int]:
    """The port of a collector that accepts everything."""
    process = subprocess.Popen([sys.executable, str(HERE / "stub.py")], stdout=subprocess.PIPE)
    try:
        yield int(process.stdout.readline())  # type: ignore[union-attr]
    finally:
        process.kill()
        process.wait()


def child(contender: Contender, port: int, requests: int) -> Figures:
    command = [python_of(contender.section), str(HERE / "child.py"), contender.name]
    done = subprocess.run(
        [*command, str(port), str(requests)], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "NO_PROXY": "*"},
    )  # fmt: skip
    if done.returncode or not done.stdout:
        raise FailedError(done.stderr.strip()[-500:])
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def run(contender: Contender, requests: int) -> Figures:
    """The figures of `requests` requests, and what the stub received of them."""
    with stub() as port:
        figures = child(contender, port, max(200, int(requests * contender.scale)))
        url = f"http://127.0.0.1:{port}/?{contender.marker.hex()}"
        with urllib.request.urlopen(url) as answer:
            received: Figures = json.load(answer)
    figures |= received
    if contender.marker:
        figures["kept_share"] = received["kept"] / figures["requests"]
    return figures


def pair(contender: Contender, requests: int) -> Pair:
    return run(BARE, requests), run(contender, requests)


def start_ms(contender: Contender, times: int) -> float:
    """What the contender adds to the app's start, milliseconds: the least disturbed of some
    starts, less bare Flask's."""
    with stub() as port:
        both = [(child(BARE, port, 0), child(contender, port, 0)) for _ in range(times)]
    bare, with_it = zip(*both, strict=True)
    return float(min(it["start_ms"] for it in with_it) - min(it["start_ms"] for it in bare))
