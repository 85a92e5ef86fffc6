import threading
from pathlib import Path

import pytest

from flask_performance.server.accounts.secret import secret_key
from flask_performance.server.settings import Settings, SettingsError


def test_made_once_for_the_owner_alone(data: Path) -> None:
    settings = Settings(data=data)
    key = secret_key(settings)
    assert len(key) == 64
    assert secret_key(settings) == key
    assert settings.secret_key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data.iterdir()] == ["secret_key"]


def test_those_who_come_at_once_get_the_same(data: Path) -> None:
    keys = []
    start = threading.Barrier(16)

    def ask() -> None:
        start.wait()
        keys.append(secret_key(Settings(data=data)))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 16
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", ["", "short", "\n" * 64])
def test_a_damaged_key_is_refused_with_the_remedy(data: Path, content: str) -> None:
    data.mkdir()
    (data / "secret_key").write_text(content)
    with pytest.raises(SettingsError, match="is damaged; delete the file"):
        secret_key(Settings(data=data))
