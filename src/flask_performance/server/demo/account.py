"""The demo's login and project: made once per data folder, by the commands that everybody has."""

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec

from .processes import DemoError

COMMAND: Final = [sys.executable, "-m", "flask_performance.server.cli"]
EMAIL: Final = "demo@example.com"
FILE: Final = "demo.json"


class Account(msgspec.Struct, frozen=True):
    """What the demo remembers between runs, in `demo.json` in its data folder."""

    email: str
    password: str
    project: str  # public id
    key: str  # the path of the DSN; the address before it changes with --port

    @classmethod
    def read(cls, data: Path) -> Self | None:
        file = data / FILE
        if not file.exists():
            return None
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except msgspec.MsgspecError as error:
            raise DemoError(
                f"{file} is not what the demo wrote ({error}). "
                "Delete the folder to begin anew, or name another with --data."
            ) from error

    def write(self, data: Path) -> None:
        file = data / FILE
        file.touch(mode=0o600)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self)))


def create(data: Path, environ: Mapping[str, str], address: str) -> Account:
    """A user, a team and a project on the platform that answers at `address`."""
    password = secrets.token_urlsafe(9)
    _run(environ, "user", "create", EMAIL, "--password-stdin", stdin=f"{password}\n")
    dsn = _run(environ, "project", "create", "Lantern Books", "--team", "Demo", "--owner", EMAIL)
    token = _run(environ, "token", "create", EMAIL)
    account = Account(EMAIL, password, _first_project(address, token), urlsplit(dsn).path)
    account.write(data)
    return account


def _run(environ: Mapping[str, str], *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(  # noqa: S603 - our own commands
        [*COMMAND, *arguments],
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(
            f"`flask-performance {' '.join(arguments[:2])}` said: {done.stderr.strip()}"
        )
    return done.stdout.strip()


def _first_project(address: str, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    request = Request(f"{address}/api/v1/projects", headers=headers)  # noqa: S310 - our own server
    with urlopen(request, timeout=10) as answer:  # noqa: S310  # nosec B310
        project: str = json.load(answer)["items"][0]["id"]
    return project
