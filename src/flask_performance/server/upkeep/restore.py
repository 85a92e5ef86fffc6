"""From a backup to a data folder: an empty or missing one, and only when all of it is sound."""

import contextlib
import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from flask import Flask

from flask_performance.server import accounts
from flask_performance.server.folder import exclusive
from flask_performance.server.queue.journal import Journal
from flask_performance.server.settings import Settings
from flask_performance.server.store.duckdb import DuckDBStore

from . import archive
from .errors import UpkeepError
from .snapshot import refuse_scaled

#: May be in a folder that counts as empty.
NOTHING: Final = frozenset({"lost+found", "serve.lock"})


def restore(settings: Settings, file: Path, progress: archive.Progress) -> dict[str, Any]:
    """The manifest of what was restored. Raises UpkeepError and SettingsError."""
    refuse_scaled(settings)
    if not file.is_file():
        raise UpkeepError(f"There is no file {file}.")
    _check_empty(settings.data)
    with exclusive(settings):
        _check_empty(settings.data)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data) as name:
            folder = Path(name)
            manifest = archive.unpack(file, folder, _names(settings), progress)
            _check_sound(dataclasses.replace(settings, data=folder))
            for one in _in_order(settings, folder):
                shutil.move(one, settings.data / one.name)
    return manifest


def _names(settings: Settings) -> frozenset[str]:
    log = f"{settings.events.name}.wal"
    files = (settings.accounts_database, settings.journal, settings.events, settings.secret_key)
    return frozenset({*(file.name for file in files), log})


def _check_empty(folder: Path) -> None:
    if folder.is_dir() and {one.name for one in folder.iterdir()} - NOTHING:
        raise UpkeepError(
            f"The folder {folder} is not empty. Restore into an empty or a new one with --data, or "
            "move what is there away; nothing was changed."
        )


def _check_sound(settings: Settings) -> None:
    """Open everything as `serve` would, which refuses what is damaged or newer. SettingsError."""
    app = Flask(__name__)
    accounts.init_app(app, settings)
    accounts.upgrade(app)
    with app.app_context():
        accounts.models.db.engine.dispose()
    with (
        contextlib.closing(DuckDBStore(settings.events)) as store,
        contextlib.closing(Journal(settings.journal)) as journal,
    ):
        journal.start_after(store.position())


def _in_order(settings: Settings, folder: Path) -> list[Path]:
    """The accounts last: without them nobody takes the folder for whole."""
    accounts_file = settings.accounts_database.name
    return sorted(folder.iterdir(), key=lambda one: (one.name.startswith(accounts_file), one.name))
