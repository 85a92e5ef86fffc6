"""`python -m benchmarks.overhead.instructions`: instructions that recording adds to a request.

They do not depend on what else the machine does, so that a change of a hundred shows. The
benchmark's app is called in one thread under `valgrind --tool=cachegrind`, bare, with the recorder,
and with the plain wrapper that is the floor; nothing is sent. Each is counted twice, of many calls
and of few: the difference leaves the start out. Needs Debian's valgrind; takes a minute.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.report import keep, machine

from .child import drive, make_app
from .parts import floor, ours

WAYS: dict[str, Callable[[Any], Any]] = {
    "bare Flask": lambda app: app.wsgi_app,
    "the recorder": lambda app: ours(app.wsgi_app),
    "the floor": floor,
}
FEW, MANY = 500, 2_500


def counted(way: str, calls: int) -> int:
    """Instructions of a process that makes so many calls, from its start to its end."""
    command = [
        *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"),
        *(sys.executable, "-m", "benchmarks.overhead.instructions", way, str(calls)),
    ]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    said = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert said, done.stderr
    return int(said[1].replace(",", ""))


def of_a_call(way: str) -> int:
    return round((counted(way, MANY) - counted(way, FEW)) / (MANY - FEW))


def main() -> None:
    if len(sys.argv) > 1:
        way, calls = sys.argv[1:]
        drive(WAYS[way](make_app()), int(calls))
        return
    on = machine()
    found = {way: of_a_call(way) for way in WAYS}
    bare = found.pop("bare Flask")
    added = {f"{way} adds": count - bare for way, count in found.items()}
    keep("overhead/instructions", on, {"bare Flask": bare, **added})


if __name__ == "__main__":
    main()
