"""Environment and release: from the configuration, else from the usual places."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from flask_performance.config import Options
from flask_performance.identity import (
    ENVIRONMENT_VARIABLES,
    RELEASE_VARIABLES,
    git_commit,
    identify,
)


@pytest.fixture(autouse=True)
def nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENVIRONMENT_VARIABLES, *RELEASE_VARIABLES):
        monkeypatch.delenv(name, raising=False)


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    (tmp_path / "shop" / "views").mkdir(parents=True)
    return tmp_path


def test_the_configuration_wins(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.setenv("APP_ENV", "elsewhere")
    options = Options(environment="staging", release="7", host="web-1")
    instance = identify(options, str(repository), debug=True)
    assert (instance["environment"], instance["release"]) == ("staging", "7")
    assert instance["host"] == "web-1"


@pytest.mark.parametrize("name", RELEASE_VARIABLES)
def test_release_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, repository: Path, name: str
) -> None:
    monkeypatch.setenv(name, " 1.2.3 ")
    assert identify(Options(), str(repository), debug=False)["release"] == "1.2.3"


@pytest.mark.parametrize("name", ENVIRONMENT_VARIABLES)
def test_environment_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, "preview")
    assert identify(Options(), str(tmp_path), debug=True)["environment"] == "preview"


@pytest.mark.parametrize(("debug", "expected"), [(True, "development"), (False, "production")])
def test_environment_by_default(tmp_path: Path, debug: bool, expected: str) -> None:
    instance = identify(Options(), str(tmp_path), debug=debug)
    assert instance["environment"] == expected
    assert len(instance["id"]) == 32
    assert instance["id"] != identify(Options(), str(tmp_path), debug=debug)["id"]


def test_the_commit_around_the_app(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert git_commit(repository / "shop" / "views") == commit
    git(repository, "pack-refs", "--all")
    assert git_commit(repository) == commit
    git(repository, "checkout", "-q", "--detach")
    assert git_commit(repository) == commit


def test_the_commit_of_a_worktree(repository: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other") / "tree"
    git(repository, "worktree", "add", "-q", "-b", "branch", str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "second")
    assert git_commit(other) == git(other, "rev-parse", "HEAD")


def test_no_repository_and_a_broken_one(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    (tmp_path / ".git").write_text("nonsense")
    assert git_commit(tmp_path) is None
    (tmp_path / ".git").unlink()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/unborn\n")
    assert git_commit(tmp_path) is None


def test_a_branch_without_a_commit_beside_packed_ones(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    git(repository, "checkout", "-q", "--orphan", "unborn")
    assert git_commit(repository) is None
