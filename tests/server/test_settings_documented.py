"""A setting that docs/operations.md does not explain fails the build."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

import flask_performance.server.settings as module
from flask_performance.server.commands import serve
from flask_performance.server.settings import PREFIX, Settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def _rows() -> set[str]:
    """What stands in the first two columns of the tables."""
    columns = re.findall(r"^\|.*?\|.*?\|", DOCUMENT, re.MULTILINE)
    return set(re.findall(r"`([^`]+)`", "\n".join(columns)))


@pytest.mark.parametrize("field", [field.name for field in fields(Settings)])
def test_every_setting_is_in_the_table(field: str) -> None:
    assert PREFIX + field.upper().rstrip("_") in _rows()  # `self_`


def test_every_variable_that_the_code_reads_is_a_setting() -> None:
    source = Path(module.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'PREFIX \+ "(\w+)"', source)) | set(
        re.findall(r"\{PREFIX\}(\w+)", source)
    )
    assert read <= {field.name.upper().rstrip("_") for field in fields(Settings)}


@pytest.mark.parametrize(
    "option", [option for option in serve.params if isinstance(option, click.Option)]
)
def test_every_option_of_serve_is_in_the_table(option: click.Option) -> None:
    assert option.opts[0] in _rows()


def _files() -> list[str]:
    settings = Settings(data=Path("/data"))
    properties = [name for name, part in vars(Settings).items() if isinstance(part, property)]
    return [part.name for name in properties if isinstance(part := getattr(settings, name), Path)]


@pytest.mark.parametrize("file", _files())
def test_every_file_of_the_data_folder_is_in_the_table(file: str) -> None:
    assert file in _rows()
