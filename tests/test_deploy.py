"""The examples in `deploy/`: what their own tools say of them, and that what they name exists."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from flask_performance.server.commands import cli
from flask_performance.wire import MAX_BODY

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OBJECTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
BIN = Path(sys.executable).parent


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        # systemd wants to see the programs: those of this environment stand for the installed ones.
        text = unit.read_text("utf-8").replace("/opt/flask-performance/bin", str(BIN))
        name = unit.name.replace("@.", "@8001.")
        (tmp_path / name).write_text(text.replace("User=flask-performance\n", ""), "utf-8")
    units = [str(path) for path in tmp_path.iterdir()]
    assert len(units) == 4
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True
    )
    ours = [line for line in said.stderr.splitlines() if "flask-performance" in line]
    assert (said.returncode, ours) == (0, [])


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_kubernetes_takes_the_objects(path: Path) -> None:
    objects = list(yaml.safe_load_all(path.read_text("utf-8")))
    assert objects
    for one in objects:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_a_wrong_object_is_refused() -> None:
    wrong = yaml.safe_load((DEPLOY / "kubernetes" / "migrate.yaml").read_text("utf-8"))
    wrong["spec"]["templates"] = wrong["spec"].pop("template")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_every_setting_they_name_is_documented() -> None:
    documented = set(
        re.findall(r"`(FLASK_PERFORMANCE_\w+)`", (ROOT / "docs/operations.md").read_text("utf-8"))
    )
    named = {
        name
        for path in FILES
        for name in re.findall(r"FLASK_PERFORMANCE_\w+", path.read_text("utf-8"))
    }
    assert len(named) >= 8
    assert named - documented == set()


def _commands() -> Iterator[list[str]]:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    for service in compose["services"].values():
        if "command" in service:
            yield shlex.split(service["command"])
    for unit in UNITS:
        line = re.search(
            r"^ExecStart=/opt/flask-performance/bin/(.*)$", unit.read_text("utf-8"), re.MULTILINE
        )
        assert line
        yield shlex.split(line[1].replace("%i", "8001"))
    for path in OBJECTS:
        for one in yaml.safe_load_all(path.read_text("utf-8")):
            yield from _of_object(one)


def _of_object(one: dict[str, Any]) -> Iterator[list[str]]:
    template = one.get("spec", {}).get("template")
    for container in template["spec"]["containers"] if template else ():
        yield container["args"]


def test_every_command_they_start_exists() -> None:
    commands = list(_commands())
    assert len(commands) == 14
    for program, *arguments in commands:
        if program == "celery":
            assert arguments[:2] == ["-A", "flask_performance.server.tasks"]
            assert arguments[2] in ("worker", "beat")
        else:
            assert program == "flask-performance"
            command = cli.commands[arguments[0]]
            command.make_context(arguments[0], arguments[1:])


def test_the_proxy_lets_every_batch_through() -> None:
    megabytes = re.search(
        r"client_max_body_size (\d+)m;", (DEPLOY / "nginx.conf").read_text("utf-8")
    )
    assert megabytes
    assert int(megabytes[1]) * 1024**2 >= MAX_BODY
