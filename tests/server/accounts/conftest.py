from pathlib import Path

import pytest
from flask import Flask

from .support import Browser, make_app


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def app(data: Path) -> Flask:
    return make_app(data)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)
