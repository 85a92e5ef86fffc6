"""Apps made by Connexion: 3 serves them from ASGI and takes `wsgi_app` before anybody else can."""

import json
from pathlib import Path

import pytest

from tests.support.packages import Packages

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("requirement", ["connexion[flask]>=3,<4", "connexion>=2.15,<3"])
def test_every_request_is_recorded_once_as_its_client_saw_it(
    tmp_path: Path, requirement: str
) -> None:
    packages = Packages(tmp_path, requirement, "httpx")
    said = json.loads(packages.output("-m", "tests.support.connexion_app").splitlines()[-1])
    assert [row[:2] for row in said["recorded"]] == said["answered"]
    by_path = {row[0]: row[1:] for row in said["recorded"]}
    assert by_path["/items/7"][:4] == [200, "/items/<int:number>", "completed", None]
    assert by_path["/boom"][0:2] == [500, "/boom"]
    assert by_path["/boom"][3] == "LookupError"
    assert by_path["/stream"] == [200, "/stream", "completed", None, 30]
    assert by_path["/plain/ada"] == [200, "/plain/<name>", "completed", None, 3]
    assert by_path["/nowhere"][:4] == [404, "", "completed", None]
