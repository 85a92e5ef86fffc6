"""The extension works with what we say we support: Flask from 2.3.0 on, Python from 3.11 on.

Each case installs its own Flask and runs the client's own tests with it.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.packages import ROOT, Packages

pytestmark = pytest.mark.slow

OLDEST = ("flask==2.3.0", "werkzeug==2.3.0")
#: Whatever the package index has today, not what constraints.txt says.
NEWEST = ("flask", "werkzeug")
TESTS = ("recorder", "delivery", "config", "extension", "doctor", "identity", "proxies")
#: Forks, exits and threads are where versions of Python differ.
PYTHON_TESTS = (*TESTS, "processes", "spool")
#: What the tests themselves need, on a Python that has nothing.
TOOLS = ("pytest", "psutil", "asgiref")
VERSION = "import importlib.metadata as m; print(m.version('flask'), m.version('werkzeug'))"


#: How fast our own thread is depends neither on Flask nor on what of Python differs.
OF_BEHAVIOUR = ("-m", "not slow")


def run_tests(packages: Packages, names: tuple[str, ...], *which: str) -> None:
    files = [f"tests/client/test_{name}.py" for name in names]
    said = packages.output("-m", "pytest", "-q", "-p", "no:cacheprovider", *files, *which)
    assert re.search(r"\d\d+ passed", said), said


def test_the_clients_tests_pass_with_the_oldest_flask(tmp_path: Path) -> None:
    packages = Packages(tmp_path, *OLDEST)
    assert packages.output("-c", VERSION).split() == ["2.3.0", "2.3.0"]
    run_tests(packages, TESTS, *OF_BEHAVIOUR)


def test_the_clients_tests_pass_with_the_newest_flask(tmp_path: Path) -> None:
    packages = Packages(tmp_path, "--upgrade", *NEWEST)
    print(packages.output("-c", VERSION))
    run_tests(packages, TESTS, *OF_BEHAVIOUR)


def pythons() -> dict[str, str]:
    """Further Pythons of this machine that we support, by version: on the PATH, or pyenv's."""
    found: dict[str, str] = {}
    folders = os.environ.get("PATH", "").split(os.pathsep)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for folder in [*map(Path, folders), *sorted(pyenv.glob("versions/3.*/bin"))]:
        for minor in range(12, 20):
            path = shutil.which(f"python3.{minor}", path=str(folder))
            if path is not None and minor != sys.version_info.minor and _answers(path):
                found.setdefault(f"3.{minor}", path)
    return found


def _answers(python: str) -> bool:
    """Whether it can install packages; pyenv's stand-ins cannot by themselves."""
    done = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize(("version", "tests"), [("3.12", TESTS), ("3.13", PYTHON_TESTS)])
def test_the_clients_tests_pass_with_another_python(
    tmp_path: Path, version: str, tests: tuple[str, ...]
) -> None:
    python = pythons().get(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    run_tests(Packages(tmp_path, *NEWEST, *TOOLS, python=python), tests, *OF_BEHAVIOUR)


def test_what_we_say_is_what_we_test() -> None:
    said = (ROOT / "pyproject.toml").read_text()
    classified = set(re.findall(r"Programming Language :: Python :: (3\.\d+)", said))
    assert classified == {"3.11", "3.12", "3.13"}
    assert 'requires-python = ">=3.11"' in said
    assert (
        f'dependencies = ["flask>={OLDEST[0].removeprefix("flask==").removesuffix(".0")}"]' in said
    )
