"""Who sends: the members of `wire.Instance`, found out once a process."""

import functools
import importlib.metadata
import os
import platform
import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .config import Options
from .texts import sendable
from .version import CLIENT
from .wire import Instance

#: Where hosts and frameworks say which deployment this is, the more particular first.
ENVIRONMENT_VARIABLES: Final = (
    "APP_ENV",
    "FLASK_ENV",
    "ENVIRONMENT",
    "DEPLOYMENT_ENVIRONMENT",
    "RAILWAY_ENVIRONMENT_NAME",
    "VERCEL_ENV",
)
#: Where hosts and build systems say which version of the app this is.
RELEASE_VARIABLES: Final = (
    "RELEASE",
    "APP_VERSION",
    "GIT_COMMIT",
    "GIT_SHA",
    "COMMIT_SHA",
    "SOURCE_VERSION",  # Heroku, AWS CodeBuild
    "HEROKU_SLUG_COMMIT",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "VERCEL_GIT_COMMIT_SHA",
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "K_REVISION",  # Cloud Run
    "FLY_IMAGE_REF",
)


def identify(options: Options, root: str, *, debug: bool) -> Instance:
    """This process, with an id that no other process has, forks included.

    :param root: the app's folder, to look for a git repository around it.
    """
    instance: Instance = {
        "id": secrets.token_hex(16),
        "host": sendable(options.host or socket.gethostname()),
        "pid": os.getpid(),
        "environment": sendable(
            options.environment
            or first_of(ENVIRONMENT_VARIABLES, os.environ)
            or ("development" if debug else "production")
        ),
        "client": CLIENT,
        "python": platform.python_version(),
        "flask": flask_version(),
        "started_us": time.time_ns() // 1000,
    }
    release = options.release or first_of(RELEASE_VARIABLES, os.environ) or git_commit(Path(root))
    if release:
        instance["release"] = sendable(release)
    return instance


@functools.cache
def flask_version() -> str:
    """Found out by the sender where it imports its own modules, for this imports some, too."""
    return importlib.metadata.version("flask")


def first_of(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """The first variable that says something, cut to what a page can show."""
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            return value[:200]
    return None


def git_commit(folder: Path) -> str | None:
    """The commit that is checked out around `folder`, read from git's own files.

    None without a repository. Formats: gitrepository-layout(5), gitfile in git-worktree(1).
    """
    try:
        for parent in (folder, *folder.parents):
            marker = parent / ".git"
            if marker.exists():
                return _head(_git_folder(marker))
    except (OSError, ValueError):
        pass  # not ours to read, or not git's
    return None


def _git_folder(marker: Path) -> Path:
    if marker.is_dir():
        return marker
    # A worktree or a submodule has a file that names the folder.
    words = marker.read_text("utf-8").partition("gitdir:")[2].strip()
    return (marker.parent / words).resolve()


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref:"):
        return head or None
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    shared = (git / common.read_text("utf-8").strip()).resolve() if common.exists() else git
    for place in (git, shared):
        if (place / name).is_file():
            return (place / name).read_text("utf-8").strip()
    return _packed(shared / "packed-refs", name)


def _packed(packed: Path, name: str) -> str | None:
    if packed.is_file():
        for line in packed.read_text("utf-8").splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    return None
