"""The data folder: made if missing, writable, and used by one `serve` at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from .settings import Settings, SettingsError


@contextlib.contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Holds the folder. Raises SettingsError with a sentence for the operator."""
    make_folder(settings)
    try:
        lock = settings.lock.open("ab+", buffering=0)
    except OSError as error:
        raise _not_writable(settings.data, error) from error
    with lock:
        _take(lock, settings.data)
        yield


def make_folder(settings: Settings) -> None:
    """Raises SettingsError."""
    folder = settings.data
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingsError(
            f"The data folder {folder} is a file, or lies below one. "
            "Name a folder with --data or FLASK_PERFORMANCE_DATA, or move the file away."
        ) from error
    except OSError as error:
        raise _not_writable(folder, error) from error


def _take(lock: FileIO, folder: Path) -> None:
    """Lock the file until it is closed, and write into it who has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(b"%d\n" % os.getpid())
    except BlockingIOError as error:
        lock.seek(0)
        process = lock.read(20).decode(errors="replace").strip() or "unknown"
        raise SettingsError(
            f"Another flask-performance serve (process {process}) "
            f"already uses the data folder {folder}. Stop it, or choose another folder "
            "with --data."
        ) from error
    except OSError as error:
        raise _not_writable(folder, error) from error


def _not_writable(folder: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"The data folder {folder} cannot be written ({error.strerror}). "
        "Choose another with --data or FLASK_PERFORMANCE_DATA."
    )
