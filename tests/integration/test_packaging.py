"""What a user installs: the wheel is whole without Node, and the client needs Flask alone."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from flask_performance.version import __version__
from tests.support.http import fetch
from tests.support.platform import Platform, Project, environment, running_platform

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGE = "flask_performance"


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment(**environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, the wheel built from the sdist, on a machine that has no Node."""
    folder = tmp_path_factory.mktemp("dist")
    tools = folder / "bin"  # a PATH with nothing of Node on it
    tools.mkdir()
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    done = run(*command, PATH=str(tools))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return dist / f"{PACKAGE}-{__version__}-py3-none-any.whl"


class Installed:
    """A virtual environment with the wheel and what it asks for."""

    def __init__(self, folder: Path, requirement: str) -> None:
        venv.create(folder)
        self.bin = folder / "bin"
        self.python = self.bin / "python"
        # What is never imported need not be compiled.
        install = ("install", "--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt")
        done = self._pip(*install, requirement)
        assert done.returncode == 0, done.stderr

    def packages(self) -> set[str]:
        listed = self._pip("list", "--format=freeze").stdout
        return {line.partition("==")[0].lower() for line in listed.splitlines()}

    def _pip(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Our own pip: making one for each environment takes seconds."""
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python)
        return run(*pip, *arguments)


@pytest.fixture(scope="module")
def client_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("client") / "venv", str(wheel))


def test_the_wheel_holds_everything_that_runs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    source = {
        str(file.relative_to(ROOT / "src"))
        for file in (ROOT / "src" / PACKAGE).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert source <= inside
    dashboard = f"{PACKAGE}/server/dashboard"
    assert f"{dashboard}/static/.vite/manifest.json" in inside
    for pattern in (
        rf"{dashboard}/static/assets/.*\.js",
        rf"{dashboard}/static/assets/.*\.css",
        rf"{dashboard}/templates/.*\.html",
        rf"{PACKAGE}/server/accounts/migrations/versions/.*\.py",
        rf"{PACKAGE}/server/store/sql/.*\.sql",
        rf"{PACKAGE}/py\.typed",
    ):
        assert any(re.fullmatch(pattern, name) for name in inside), pattern


def test_the_sdist_holds_sources_and_nothing_that_was_installed(dist: Path) -> None:
    with tarfile.open(dist / f"{PACKAGE}-{__version__}.tar.gz") as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "frontend/package.json", "LICENSE"} <= inside
    assert not [name for name in inside if "node_modules" in name or "__pycache__" in name]


def test_the_client_alone_brings_flask_and_nothing_else(client_only: Installed) -> None:
    flask_and_its_own = {"flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click"}
    extra = client_only.packages() - flask_and_its_own - {"blinker"}
    assert extra == {"flask-performance"}


def test_the_client_alone_reports_requests(
    client_only: Installed, project: Project, tmp_path: Path
) -> None:
    program = tmp_path / "app.py"
    program.write_text(
        "from flask import Flask\n"
        "from flask_performance import PerformanceCollector\n"
        "app = Flask(__name__)\n"
        "PerformanceCollector(app)\n"
        "@app.get('/users/<int:user_id>')\n"
        "def user(user_id): return {'id': user_id}\n"
        "print(app.test_client().get('/users/7').status_code)\n"
    )
    done = run(client_only.python, "-W", "error", program, METRIC_DSN=project.dsn)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
    [row] = project.wait_for_requests(1)
    assert (row["route"], row["status"]) == ("/users/<int:user_id>", 200)


@pytest.mark.parametrize("arguments", [(), ("serve",), ("demo",), ("--help",)])
def test_without_the_extra_every_command_prints_the_install_line(
    client_only: Installed, arguments: tuple[str, ...]
) -> None:
    done = run(client_only.bin / "flask-performance", *arguments)
    assert done.returncode == 1
    assert 'pip install "flask-performance[server]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_with_its_extra_serves_pages_without_node(wheel: Path, tmp_path: Path) -> None:
    installed = Installed(tmp_path / "venv", f"{wheel}[server]")
    command = [str(installed.bin / "flask-performance")]
    with running_platform(tmp_path / "data", command, PATH=os.defpath) as platform:
        _assert_pages_are_dressed(platform)
        assert platform.stop() == 0


def _assert_pages_are_dressed(platform: Platform) -> None:
    page = fetch(f"{platform.url}/login").body.decode()
    assets = re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', page)
    assert {asset.rpartition(".")[2] for asset in assets} == {"css", "js"}
    assert all(fetch(platform.url + asset).status == 200 for asset in assets)
