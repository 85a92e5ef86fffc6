"""The client of 2019, as PyPI has it, posts to today's collector and shows up like any other."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import gunicorn, serving
from tests.support.http import fetch
from tests.support.platform import Project

pytestmark = pytest.mark.slow

#: `make setup` puts flask-performance==0.0.6 there.
CLIENT_2019 = Path(sys.prefix) / "client-2019"

CALLS = [
    ("GET", "/users/7", 200, "users"),
    ("GET", "/users/0", 404, "users"),
    ("POST", "/users", 201, "add_user"),
    ("GET", "/broken", 500, "broken"),
    ("GET", "/nowhere", 404, None),
    ("PUT", "/users", 405, None),
]


def test_its_requests_are_stored_with_everything_that_it_says(
    project: Project, tmp_path: Path
) -> None:
    assert CLIENT_2019.is_dir(), "run `make setup`, which installs flask-performance 0.0.6"
    with serving(
        gunicorn("tests.support.client_2019_app:app"),
        log=tmp_path / "gunicorn.log",
        folder=Path(__file__).parents[2],
        PYTHONPATH=str(CLIENT_2019),
        OLD_DSN=project.dsn,
    ) as address:
        client = fetch(f"{address}/client").body.decode()
        assert Path(client).parent == CLIENT_2019
        for method, path, status, _ in CALLS:
            assert fetch(f"{address}{path}", method).status == status
        project.wait_for_requests(len(CALLS) + 1)

    stored = [_said(row) for row in project.requests()]
    assert sorted(stored, key=str) == sorted([*CALLS, ("GET", "/client", 200, "client")], key=str)
    assert all(0 < row["duration"] < 1000 for row in project.requests())
    summary = project.get("summary")
    assert (summary["requests"], summary["errors"]) == (len(CALLS) + 1, 1)


def _said(row: dict[str, Any]) -> tuple[str, str, int, str | None]:
    return row["method"], row["path"], row["status"], row["endpoint"]
