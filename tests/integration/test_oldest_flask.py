"""The extension works with the oldest Flask that we say we support (pyproject: `flask>=2.3`)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = ("flask==2.3.0", "werkzeug==2.3.0")
TESTS = ("recorder", "delivery", "config", "extension", "doctor")


@pytest.mark.slow
def test_the_clients_tests_pass_with_the_oldest_flask(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path), *OLDEST]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=180)
    if installed.returncode:
        pytest.skip(f"the package index gave no {OLDEST[0]}: {installed.stderr[-500:]}")
    files = [f"tests/client/test_{name}.py" for name in TESTS]
    script = "import flask, importlib.metadata as m; assert m.version('flask') == '2.3.0'"
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", script], env=environ, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
