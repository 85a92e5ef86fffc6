"""What the set-up page says to paste runs as it stands, each way in processes of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_performance.server.dashboard.snippets import SHELL, Snippet, snippets
from flask_performance.server.dashboard.snippets import test_command as command_to_test
from tests.support.platform import Project, environment, running_platform

pytestmark = pytest.mark.slow

WAYS = [snippet.id for snippet in snippets("")]
#: What a person does next: start the app, as a server would find it, and open a page.
START = """
import app
found = app.app if hasattr(app, "app") else app.create_app()
found.test_client().get("/from-the-snippet")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with running_platform(tmp_path_factory.mktemp("platform") / "data") as platform:
        yield platform.project()


def paste(snippet: Snippet, folder: Path) -> str:
    """Keep the files and return the shell's lines."""
    for part in snippet.parts:
        if part.file != SHELL:
            (folder / part.file).write_text(part.code)
    return "".join(part.code for part in snippet.parts if part.file == SHELL)


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euc", script, sys.executable],
        cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_a_snippet_runs_as_it_stands(project: Project, tmp_path: Path, way: str) -> None:
    (snippet,) = (one for one in snippets(project.dsn) if one.id == way)
    shell = paste(snippet, tmp_path)
    (tmp_path / "start.py").write_text(START)
    before = project.get("summary")["requests"]
    run(shell + '"$0" start.py', tmp_path)
    newest = project.wait_for_requests(before + 1)
    assert len(newest) == before + 1
    assert newest[0]["path"] == "/from-the-snippet"


def test_the_test_command_stores_a_request(project: Project, tmp_path: Path) -> None:
    before = project.get("summary")["requests"]
    assert '"accepted"' in run(command_to_test(project.dsn), tmp_path)
    assert "/test" in {row["path"] for row in project.wait_for_requests(before + 1)}
