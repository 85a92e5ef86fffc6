"""The whole test suite of Flask itself passes with the extension on every app that it builds."""

import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: The one test that no middleware can pass: `app.wsgi_app = Middleware(app.wsgi_app)`, which is how
#: Flask's documentation wraps an app and what we do, makes a cycle that waits for the collector.
CYCLE = "tests/test_basic.py::test_app_freed_on_zero_refcount"


def pip(*words: str) -> str:
    """Run pip; what it complained about, for the reason of a skip."""
    command = [sys.executable, "-m", "pip", *words, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    return done.stderr[-500:] if done.returncode else ""


@pytest.fixture(scope="module")
def flask_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of the installed Flask, from the package index."""
    folder = tmp_path_factory.mktemp("flask")
    source = f"flask=={version('flask')}"
    fault = pip("download", "--no-deps", "--no-binary=flask", "--dest", str(folder), source)
    archives = list(folder.glob("flask-*.tar.gz"))
    if not archives:
        pytest.skip(f"the package index gave no source of Flask: {fault}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def its_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Flask's tests need: a pytest of their age, and the packages without which some skip."""
    folder = tmp_path_factory.mktemp("tools")
    fault = pip("install", "--target", str(folder), "pytest<9", "python-dotenv", "asgiref")
    if fault:
        pytest.skip(f"the package index gave no tools: {fault}")
    return folder


def run_suite(source: Path, tools: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--deselect", CYCLE]
    return subprocess.run(
        [*command, *options, "tests"],
        cwd=source,
        env={"PYTHONPATH": f"{tools}:{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def failed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return sorted(re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE))


@pytest.mark.slow
def test_flasks_own_tests_pass_with_the_extension_on_every_app(
    flask_source: Path, its_tools: Path
) -> None:
    plain = run_suite(flask_source, its_tools)
    done = run_suite(flask_source, its_tools, "-p", "tests.integration.flask_suite.everywhere")
    tail = done.stdout[-3000:] + done.stderr[-1000:]
    # Some may fail without us: this Flask with this Werkzeug.
    assert failed(done) == failed(plain), tail
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 400, tail
    counted = re.search(r"(\d+) apps, (\d+) seen, (\d+) recorded, (\d+) dropped", done.stdout)
    assert counted is not None, tail
    _, seen, recorded, dropped = map(int, counted.groups())
    assert seen == recorded > 300
    assert dropped == 0
