"""From the environment to settings: what wins, what is refused."""

from pathlib import Path

import pytest

from flask_performance.server.settings import Settings, SettingsError


def test_an_argument_wins_over_the_environment_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"FLASK_PERFORMANCE_DATA": "/srv/metrics"}
    assert Settings.read("here", environ).data == tmp_path / "here"
    assert Settings.read(None, environ).data == Path("/srv/metrics")
    assert Settings.read(None, {}).data == tmp_path / "flask-performance-data"
    assert Settings.read(None, {"FLASK_PERFORMANCE_DATA": ""}).data.is_absolute()


def test_a_home_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert Settings.read("~/metrics", {}).data == Path("/home/ada/metrics")


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("https://metrics.example.com", "https://metrics.example.com"),
        ("http://10.0.0.1:8000/", "http://10.0.0.1:8000"),
        ("https://example.com/metrics//", "https://example.com/metrics"),
        ("", None),
    ],
)
def test_the_address(said: str, url: str | None) -> None:
    assert Settings.read("x", {"FLASK_PERFORMANCE_URL": said}).url == url


@pytest.mark.parametrize("said", ["metrics.example.com", "ftp://example.com", "//example.com"])
def test_an_address_without_a_scheme_is_refused(said: str) -> None:
    with pytest.raises(SettingsError, match=f"FLASK_PERFORMANCE_URL is '{said}'.*https://"):
        Settings.read("x", {"FLASK_PERFORMANCE_URL": said})


def test_everything_is_inside_the_data_folder() -> None:
    settings = Settings(data=Path("/data"))
    names = [name for name, part in vars(Settings).items() if isinstance(part, property)]
    assert len(names) >= 6
    assert {getattr(settings, name).parent for name in names} == {settings.data}
