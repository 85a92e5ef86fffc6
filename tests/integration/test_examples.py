"""The programs in examples/ do what they show: a real process, a real request, seen on the API."""

import shutil
from pathlib import Path

import pytest

from tests.support.apps import flask_run, serving
from tests.support.http import fetch
from tests.support.platform import Project

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
SHOWN_DSN = "https://metrics.example.com/v1/collector/c5b35bc078844a59a15dd506e08f3ae6"


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("plain.py", None),
        ("config_file.py", None),
        ("factory.py", "FLASK_METRIC_DSN"),
        ("factory.py", "METRIC_DSN"),
    ],
)
def test_an_example_reports_its_requests(
    project: Project, tmp_path: Path, name: str, variable: str | None
) -> None:
    folder = tmp_path / "examples"
    shutil.copytree(EXAMPLES, folder)
    for file in folder.glob("*.py"):
        file.write_text(file.read_text().replace(SHOWN_DSN, project.dsn))
    environ = {variable: project.dsn} if variable else {}

    with serving(flask_run(name), tmp_path / "flask.log", folder, **environ) as address:
        assert fetch(f"{address}/users/7").json() == {"id": 7}
        [row] = project.wait_for_requests(1)

    assert (row["route"], row["path"], row["status"]) == ("/users/<int:user_id>", "/users/7", 200)
