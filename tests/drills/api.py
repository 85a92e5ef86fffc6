"""The REST API asked by a machine that has read its OpenAPI document: no 5xx, no surprise."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.support.platform import Platform, Project, environment, running_platform

from .play import Outcomes, loaded, more

#: What is asked of every answer, beside that it is none of 500 and more.
CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,negative_data_rejection,"
    "missing_required_header,unsupported_method,ignored_auth"
)
COMMAND: Final = [
    sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()",
]  # fmt: skip


def api(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """A round is an example an endpoint and phase; half the runs name a project that is there."""
    outcomes: Outcomes = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        with loaded(project) as clients:
            more(clients)
            time.sleep(0.5)
        for named in (True, False):
            seed = rng.randrange(2**31)
            cases = fuzz(platform, project, folder, rounds, seed, named=named)
            outcomes["requests answered as documented"] += cases
        log = platform.log.read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
        assert platform.stop() == 0
    return outcomes


def fuzz(
    platform: Platform, project: Project, folder: Path, examples: int, seed: int, *, named: bool
) -> int:
    """Run schemathesis; how many requests it made. AssertionError with its report otherwise."""
    settings, report = folder / "schemathesis.toml", folder / "report.json"
    token = project.api.headers["Authorization"]
    lines = [f'[headers]\nAuthorization = "{token}"']
    if named:
        lines.append(f'[parameters]\n"path.id" = "{project.id}"')
    settings.write_text("\n".join(lines))
    done = subprocess.run(
        [
            *COMMAND, "--config-file", str(settings), "run", f"{platform.url}/api/v1/openapi.json",
            "--checks", CHECKS, "--max-examples", str(examples), "--seed", str(seed),
            "--generation-database", "none", "--no-color", "--report", "json",
            "--report-json-path", str(report), "--continue-on-failure",
        ],
        cwd=folder, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return int(json.loads(report.read_text())["test_cases"]["generated"])
