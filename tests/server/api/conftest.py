from collections.abc import Iterator
from itertools import count

import pytest
from flask import Flask

from flask_performance.server import accounts, api
from flask_performance.server.settings import Settings
from flask_performance.server.store.duckdb import DuckDBStore

from .support import Person, Project

NUMBERS = count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBStore]:
    store = DuckDBStore(tmp_path_factory.mktemp("store") / "events.duckdb")
    yield store
    store.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, store: DuckDBStore) -> Flask:
    """The accounts and the API, as `create_web` joins them.

    One for a module: its tests keep apart by using people and projects of their own.
    """
    app = Flask(__name__)
    accounts.init_app(app, Settings(data=tmp_path_factory.mktemp("data")))
    accounts.upgrade(app)
    api.init_app(app, store)
    return app


@pytest.fixture
def ada(app: Flask) -> Person:
    return Person.create(app, f"ada{next(NUMBERS)}@example.org")


@pytest.fixture
def bob(app: Flask) -> Person:
    """Somebody who has nothing to do with Ada."""
    return Person.create(app, f"bob{next(NUMBERS)}@example.org")


@pytest.fixture
def shop(ada: Person) -> Project:
    return ada.create_project("Shop")
