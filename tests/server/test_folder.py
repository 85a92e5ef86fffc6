"""The data folder is made, is private, and has one user at a time."""

import os
from pathlib import Path

import pytest

from flask_performance.server.folder import exclusive
from flask_performance.server.settings import Settings, SettingsError
from tests.support.faults import full_disk


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new" / "data")
    with exclusive(settings):
        assert settings.data.stat().st_mode & 0o777 == 0o700
        assert settings.lock.read_text() == f"{os.getpid()}\n"


def test_the_second_user_is_told_who_the_first_is(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    with exclusive(settings):
        for _ in range(2):
            refused = pytest.raises(SettingsError, match=rf"process {os.getpid()}\).*--data")
            with refused, exclusive(settings):
                pytest.fail("two users")
    with exclusive(settings):
        pass


def test_a_longer_number_of_the_last_user_leaves_nothing_behind(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    settings.lock.write_text("99999999999999\n")
    with exclusive(settings):
        assert settings.lock.read_text() == f"{os.getpid()}\n"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    settings.lock.touch()
    refused = pytest.raises(SettingsError, match=f"{tmp_path} cannot be written")
    with full_disk(settings.lock, 0), refused, exclusive(settings):
        pytest.fail("nothing can be written")
