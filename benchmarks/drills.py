"""The drills of `tests/drills`, for hundreds of rounds; what came of them is kept as JSON.

    python -m benchmarks.drills kill --rounds 300 --seed 1

A drill is played in lives of some rounds, each with a fresh platform and a seed of its own, so that
one that went wrong can be played again alone (`--seed 1.7 --rounds 25`).
"""

import argparse
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.drills.all import DRILLS

from .report import machine

FOLDER = Path(__file__).with_suffix("")
#: Rounds of one life.
LIFE = 25


def play(name: str, rounds: int, seed: str) -> dict[str, Any]:
    """Play a drill; its outcomes and, in words, what went wrong in which life."""
    outcomes: Counter[str] = Counter()
    wrong: list[dict[str, str]] = []
    began = time.monotonic()
    for number, first in enumerate(range(0, rounds, LIFE)):
        of_life = f"{seed}.{number}" if rounds > LIFE else seed
        folder = Path(tempfile.mkdtemp(prefix=f"drill-{name}-"))
        try:
            came = DRILLS[name](random.Random(of_life), folder, min(LIFE, rounds - first))
        except Exception as error:  # the others are to be played all the same
            wrong.append({"seed": of_life, "what": f"{type(error).__name__}: {error}"[:2000]})
            print(f"{of_life}: WRONG, see {folder}: {error}", flush=True)
        else:
            outcomes += came
            print(f"{of_life}: {dict(came)}", flush=True)
            shutil.rmtree(folder)
    return {
        "drill": name,
        "seed": seed,
        "rounds": rounds,
        "seconds": round(time.monotonic() - began),
        "outcomes": dict(sorted(outcomes.items())),
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=sorted(DRILLS))
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    on = machine()
    result = play(asked.name, asked.rounds, asked.seed)
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps({"machine": on, **result}, indent=2)
    (FOLDER / f"{asked.name}.json").write_text(text + "\n")
    print(text)
    raise SystemExit(bool(result["wrong"]))


if __name__ == "__main__":
    main()
