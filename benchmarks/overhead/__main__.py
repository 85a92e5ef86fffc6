"""`python -m benchmarks.overhead [--minutes 7.5] [--requests 10000] [--back-to-back] [NAME ...]`

Every round and contender is a fresh process with a stub collector of its own, and directly before
it runs a bare one: all differences are against that neighbour; the table shows medians over the
rounds. There are as many rounds as fit into the minutes, the last perhaps not for all.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..report import machine
from .contenders import CONTENDERS, Contender
from .environments import NotInstalledError, python_of
from .runs import FailedError, pair, run, start_ms
from .tables import Result, table

HERE = Path(__file__).parent
#: Starts measured of each contender.
STARTS = 5
MOST_ROUNDS = 9
#: Requests of a run of the --back-to-back check: some five seconds.
MANY = 100_000


def chosen(names: list[str]) -> list[Contender]:
    known = [contender.name for contender in CONTENDERS]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"No contender is called {unknown[0]!r}. There are: {', '.join(known[1:])}.")
    return [it for it in CONTENDERS[1:] if not names or it.name in names]


def installed(contenders: list[Contender]) -> dict[str, Result]:
    """A result for each, that of those that cannot run with its fault."""
    results = {}
    for contender in contenders:
        result = results[contender.name] = Result()
        try:
            python_of(contender.section)
            result.start_ms = start_ms(contender, STARTS)
        except (NotInstalledError, FailedError) as fault:
            result.fault = str(fault).rpartition("\n")[2]
    return results


def measure(contenders: list[Contender], requests: int, end: float) -> dict[str, Result]:
    """Round after round until `end` (monotonic), at least one."""
    results = installed(contenders)
    for number in range(MOST_ROUNDS):
        began = time.monotonic()
        for contender in contenders:
            if number and time.monotonic() > end:
                return results
            add_pair(contender, results[contender.name], requests)
        print(f"round {number + 1}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return results


def add_pair(contender: Contender, result: Result, requests: int) -> None:
    if result.fault:
        return
    try:
        result.pairs.append(pair(contender, requests))
    except FailedError as fault:
        result.fault = str(fault).rpartition("\n")[2]


def write(on: dict[str, Any], results: dict[str, Result]) -> None:
    text = table(results)
    said = f"{on['cpu']}, {on['cores']} cores, load {on['load_before']} before; Python "
    said += f"{on['python']}; commit {on['commit']}; {on['at']}."
    (HERE / "results.md").write_text(f"{said}\n\n{text}\n")
    kept = {"machine": on, "results": {name: asdict(it) for name, it in results.items()}}
    (HERE / "results.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(said, text, sep="\n\n")


def back_to_back() -> bool:
    """Whether one thread at full speed loses no request, three times in turn with bare Flask."""
    whole = True
    for name in ("bare", "ours") * 3:
        it = run(next(one for one in CONTENDERS if one.name == name), MANY)
        kept = it.get("kept_share")
        whole = whole and kept in (None, 1.0)
        print(
            f"{name}: {it['per_second']:.0f} requests/s, p50 {it['p50_us']:.1f} µs, "
            f"p99 {it['p99_us']:.0f} µs, p99.9 {it['p999_us']:.0f} µs, CPU {it['cpu_us']:.1f} µs"
            + (f", kept {kept:.4%} in {it['posts']} POSTs" if kept is not None else "")
        )
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="contenders; all when none is named")
    parser.add_argument("--minutes", type=float, default=7.5, help="installing included")
    parser.add_argument("--requests", type=int, default=10_000, help="a run; the slow do fewer")
    parser.add_argument(
        "--back-to-back", action="store_true", help="only check that full speed loses nothing"
    )
    arguments = parser.parse_args()
    if arguments.back_to_back:
        sys.exit(0 if back_to_back() else "Requests were lost.")
    end = time.monotonic() + 60 * arguments.minutes
    on = machine()
    write(on, measure(chosen(arguments.names), arguments.requests, end))


if __name__ == "__main__":
    main()
