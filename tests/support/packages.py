"""Other versions of other people's packages than those in our own environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .platform import environment

ROOT = Path(__file__).parents[2]


class Packages:
    """A folder of packages that stand before those of the environment, for one Python."""

    def __init__(self, folder: Path, *requirements: str, python: str = sys.executable) -> None:
        self._folder = folder
        self._python = python
        # Each is run once: what is never imported need not be compiled.
        install = ("-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder))
        done = self.run(*install, *requirements)
        if done.returncode:
            pytest.skip(f"the package index gave no {requirements}: {done.stderr[-500:]}")

    def run(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """This Python with the folder, our source and the tests on its path."""
        path = os.pathsep.join(map(str, (self._folder, ROOT / "src", ROOT)))
        return subprocess.run(
            [self._python, *arguments],
            cwd=ROOT,
            env=environment(PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def output(self, *arguments: str) -> str:
        """What it prints; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout
