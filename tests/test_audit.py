"""`make check` fails for a known vulnerability, and says so where nobody could be asked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FINE = {"name": "flask", "version": "3.1", "vulns": []}
BROKEN = {
    "name": "old",
    "version": "1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"], "aliases": [], "description": "bad"}],
}
UNKNOWN = {"name": "mine", "skip_reason": "Dependency not found"}


def audit(folder: Path, said: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The audit with a pip-audit that says just this."""
    fake = folder / "pip_audit.py"
    fake.write_text(f"import sys\nprint({said!r})\nsys.exit({code})\n")
    command = [sys.executable, str(ROOT / "tools" / "audit.py"), sys.executable, str(fake)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_nothing_known(tmp_path: Path) -> None:
    done = audit(tmp_path, answer(FINE))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_vulnerability_fails(tmp_path: Path) -> None:
    done = audit(tmp_path, answer(FINE, BROKEN, UNKNOWN), code=1)
    assert done.returncode == 1
    assert "VULNERABLE old 1: PYSEC-1, mended in 2" in done.stdout
    assert "mine" in done.stdout


@pytest.mark.parametrize("said", ["", "Traceback", "{}", answer(UNKNOWN), answer()])
def test_nobody_to_ask_is_said_and_no_failure(said: str, tmp_path: Path) -> None:
    done = audit(tmp_path, said, code=1)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("WARNING: not audited")
    assert done.stdout.count("\n") == 1
