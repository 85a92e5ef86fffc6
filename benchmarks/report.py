"""Figures of a run: printed for people, kept as JSON beside the script that made them."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def machine() -> dict[str, Any]:
    """What ran it, and how busy that was."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=FOLDER, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def keep(name: str, on: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Print the figures and write them to `<name>.json`."""
    for label, figure in figures.items():
        print(f"{label:40} {figure}")
    text = json.dumps({"machine": dict(on), "figures": dict(figures)}, indent=2)
    (FOLDER / f"{name}.json").write_text(text + "\n")


def quantile(ordered: Sequence[float], q: float) -> float:
    """The value that a share `q` of an ascending, non-empty sequence does not exceed."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
