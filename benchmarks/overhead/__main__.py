"""`python -m benchmarks.overhead [--rounds 5] [--requests 20000] [NAME ...]`

Every round and contender is a fresh process with a stub collector of its own, and directly before
it runs a bare one: all differences are against that neighbour; the table shows medians over rounds.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from .contenders import CONTENDERS, Contender

HERE = Path(__file__).parent
VENVS = Path(os.environ.get("OVERHEAD_VENVS") or Path(tempfile.gettempdir()) / "overhead-venvs")
COLUMNS = ("p50_us", "p99_us", "mean_us", "cpu_us", "peak_mb", "start_ms")

Figures = dict[str, Any]


def sections() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (HERE / "requirements.txt").read_text().splitlines():
        if line.startswith("# ["):
            lines = found.setdefault(line[3:-1], [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return found


def python_of(section: str) -> str:
    """The interpreter of a section's environment, made when it is missing."""
    if section in ("base", "ours"):
        return sys.executable
    folder = VENVS / section
    if not (folder / "bin" / "python").exists():
        wanted = [*sections()["base"], *sections()[section]]
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *wanted], check=True)
    return str(folder / "bin" / "python")


def one(contender: Contender, requests: int) -> Figures:
    requests = max(200, int(requests * contender.scale))
    stub = subprocess.Popen([sys.executable, str(HERE / "stub.py")], stdout=subprocess.PIPE)
    try:
        port = int(stub.stdout.readline())  # type: ignore[union-attr]
        command = [python_of(contender.section), str(HERE / "child.py"), contender.name]
        done = subprocess.run(
            [*command, str(port), str(requests)], capture_output=True, text=True, check=False,
            env={"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "NO_PROXY": "*"},
        )  # fmt: skip
        if done.returncode or not done.stdout:
            raise SystemExit(f"{contender.name} failed:\n{done.stderr[-2000:]}")
        figures: Figures = json.loads(done.stdout.splitlines()[-1])
        url = f"http://127.0.0.1:{port}/?{contender.marker.hex()}"
        with urllib.request.urlopen(url) as answer:
            figures |= json.load(answer)
        return figures
    finally:
        stub.kill()
        stub.wait()


def row(name: str, pairs: list[tuple[Figures, Figures]]) -> str:
    def difference(column: str) -> str:
        return f"{statistics.median(it[column] - bare[column] for bare, it in pairs):+.1f}"

    last = pairs[-1][1]
    kept = f"{last['kept'] / last['requests']:.0%}" if last["kept"] else "-"
    p50s = [it["p50_us"] - bare["p50_us"] for bare, it in pairs]
    spread = f"{min(p50s):+.1f}..{max(p50s):+.1f}"
    cells = [name, difference("p50_us"), spread, *map(difference, COLUMNS[1:])]
    return "| " + " | ".join([*cells, str(last["posts"]), kept]) + " |"


def table(rounds: dict[str, list[tuple[Figures, Figures]]]) -> str:
    bares = [bare["p50_us"] for pairs in rounds.values() for bare, _ in pairs]
    said = (
        f"Bare Flask: p50 {statistics.median(bares):.1f} µs "
        f"({min(bares):.1f} to {max(bares):.1f} over the runs). All others: what they add."
    )
    names = (
        "contender", "p50 µs", "over the rounds", "p99 µs", "mean µs", "CPU µs", "memory MB",
        "start ms", "POSTs", "kept",
    )  # fmt: skip
    lines = [said, "", f"| {' | '.join(names)} |", "|---" + "|--:" * (len(names) - 1) + "|"]
    return "\n".join([*lines, *(row(name, pairs) for name, pairs in rounds.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    chosen = [c for c in CONTENDERS[1:] if not arguments.names or c.name in arguments.names]
    load = os.getloadavg()[0]
    rounds: dict[str, list[tuple[Figures, Figures]]] = {c.name: [] for c in chosen}
    for _ in range(arguments.rounds):
        for contender in chosen:
            neighbour = one(CONTENDERS[0], arguments.requests)
            rounds[contender.name].append((neighbour, one(contender, arguments.requests)))
    print(table(rounds))
    if arguments.out:
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
        kept = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "rounds": rounds}
        arguments.out.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
