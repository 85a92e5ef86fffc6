import os
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import pytest
from flask import Flask
from sqlalchemy import URL, Engine, event, make_url

from flask_performance.server.accounts import database, models
from flask_performance.server.settings import Settings
from tests.support.postgresql import PostgreSQL, running_postgresql

from .support import Browser, make_app

HOMES = ("sqlite", "postgresql")
#: What is about the accounts' database runs on both homes; ACCOUNTS=postgresql has all the rest
#: run there, too.
ON_BOTH = {
    "test_accounts", "test_database", "test_devices", "test_keys", "test_meter", "test_own",
    "test_teams", "test_throttle", "test_tokens",
}  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`@pytest.mark.embedded`: about a SQLite file."""
    if "home" not in metafunc.fixturenames:
        return
    module = metafunc.module.__name__.rpartition(".")[2]
    both = module in ON_BOTH or os.environ.get("ACCOUNTS") == "postgresql"
    embedded = metafunc.definition.get_closest_marker("embedded")
    homes = HOMES if both and embedded is None else HOMES[:1]
    metafunc.parametrize("home", homes, indirect=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def template(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the newest tables, to be copied."""
    name = postgresql.create()
    folder = tmp_path_factory.mktemp("template")
    app = make_app(folder, database_url=postgresql.url(name))
    with app.app_context():
        models.db.engine.dispose()
    return name


@pytest.fixture(autouse=True)
def home(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where accounts live: with PostgreSQL every data folder has a database of its own, where a
    test does not name one."""
    if request.param == "sqlite":
        yield "sqlite"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    template = request.getfixturevalue("template")
    names: dict[Path, str] = {}
    engines: WeakSet[Engine] = WeakSet()

    chosen = database.url

    def url(settings: Settings) -> URL:
        if settings.database_url is not None:
            return chosen(settings)
        if settings.data not in names:
            names[settings.data] = server.create(template)
        return make_url(server.url(names[settings.data]))

    def connected(connection: object) -> None:
        engines.add(connection.engine)  # type: ignore[attr-defined]

    event.listen(Engine, "engine_connect", connected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "url", url)
        yield "postgresql"
    event.remove(Engine, "engine_connect", connected)
    for engine in list(engines):
        engine.dispose()
    for name in names.values():
        server.drop(name)


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
