"""The peers' virtual environments: one for each section of requirements.txt, made when missing."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
VENVS = Path(os.environ.get("OVERHEAD_VENVS") or Path(tempfile.gettempdir()) / "overhead-venvs")


class NotInstalledError(Exception):
    """A peer's packages could not be installed; the message says why."""


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
    """The interpreter of a section's environment. Raise NotInstalledError when it has none."""
    if section in ("base", "ours"):
        return sys.executable
    folder = VENVS / section
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)  # an interrupted attempt's
        install(folder, [*sections()["base"], *sections()[section]])
    return str(folder / "bin" / "python")


def install(folder: Path, wanted: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    done = subprocess.run(
        [str(folder / "bin" / "pip"), "install", "-qq", *wanted],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NotInstalledError(done.stderr.strip().rpartition("\n")[2])
    (folder / "complete").touch()
