"""From the environment to settings: what wins, what is refused."""

from pathlib import Path

import pytest

from flask_performance.server.homes import Only, check_homes
from flask_performance.server.settings import (
    LogFormat,
    MailServer,
    Settings,
    SettingsError,
    SignUp,
)


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


def test_how_the_log_is_written() -> None:
    assert Settings.read("x", {}).log is LogFormat.TEXT
    assert Settings.read("x", {"FLASK_PERFORMANCE_LOG": "JSON"}).log is LogFormat.JSON
    assert Settings.read("x", {"FLASK_PERFORMANCE_LOG_LEVEL": "Debug"}).log_level == "debug"
    with pytest.raises(SettingsError, match=r"FLASK_PERFORMANCE_LOG is 'xml'.*text, json"):
        Settings.read("x", {"FLASK_PERFORMANCE_LOG": "xml"})
    with pytest.raises(SettingsError, match=r"FLASK_PERFORMANCE_LOG_LEVEL is 'loud'.*debug"):
        Settings.read("x", {"FLASK_PERFORMANCE_LOG_LEVEL": "loud"})


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("open", "open"),
        ("invite", "invite"),
        ("closed", "closed"),
        ("", "invite"),
        ("OPEN", "open"),
    ],
)
def test_who_may_sign_up(said: str, mode: str) -> None:
    assert Settings.read("x", {"FLASK_PERFORMANCE_SIGNUP": said}).signup is SignUp(mode)
    assert Settings.read("x", {}).signup is SignUp.INVITE


@pytest.mark.parametrize("said", ["yes", "everybody", "1"])
def test_an_unknown_mode_of_sign_up_is_refused(said: str) -> None:
    with pytest.raises(SettingsError, match=f"'{said}', but must be one of open, invite, closed"):
        Settings.read("x", {"FLASK_PERFORMANCE_SIGNUP": said})


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", MailServer("mail.example.com", 587, "m@example.com")),
        ("smtp://127.0.0.1:25", MailServer("127.0.0.1", 25, "m@example.com")),
        (
            "smtps://ada%40example.com:p%2Fw%3A1@mail.example.com",
            MailServer("mail.example.com", 465, "m@example.com", True, "ada@example.com", "p/w:1"),
        ),
    ],
)
def test_the_mail_server(url: str, server: MailServer) -> None:
    environ = {
        "FLASK_PERFORMANCE_SMTP_URL": url,
        "FLASK_PERFORMANCE_MAIL_FROM": "m@example.com",
    }
    assert Settings.read("x", environ).mail_server == server


def test_without_a_mail_server_there_is_none() -> None:
    assert Settings.read("x", {}).mail_server is None
    assert Settings.read("x", {"FLASK_PERFORMANCE_SMTP_URL": ""}).mail_server is None


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://hunter2@mail",
        "smtp://",
        "smtp://u:hunter2@h:port",
        "smtp:hunter2",
    ],
)
def test_a_wrong_mail_server_is_refused_without_its_password(url: str) -> None:
    environ = {"FLASK_PERFORMANCE_SMTP_URL": url, "FLASK_PERFORMANCE_MAIL_FROM": "m@example.com"}
    with pytest.raises(SettingsError, match="SMTP_URL must be like smtp://") as caught:
        Settings.read("x", environ)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("sender", ["", "nobody"])
def test_a_mail_needs_a_sender(sender: str) -> None:
    environ = {"FLASK_PERFORMANCE_SMTP_URL": "smtp://h", "FLASK_PERFORMANCE_MAIL_FROM": sender}
    with pytest.raises(SettingsError, match="MAIL_FROM must name the sender"):
        Settings.read("x", environ)


def test_settings_do_not_show_the_password() -> None:
    settings = Settings(
        data=Path("/data"), smtp_url="smtp://ada:hunter2@h", mail_from="m@example.com"
    )
    assert "hunter2" not in repr(settings) + repr(settings.mail_server)


def test_how_many_proxies() -> None:
    assert Settings.read("x", {}).proxies == 0
    assert Settings.read("x", {"FLASK_PERFORMANCE_PROXIES": "2"}).proxies == 2


@pytest.mark.parametrize("said", ["-1", "one", "1.5", "127.0.0.1"])
def test_proxies_are_a_number(said: str) -> None:
    with pytest.raises(SettingsError, match=f"PROXIES is '{said}', but must be how many"):
        Settings.read("x", {"FLASK_PERFORMANCE_PROXIES": said})


def test_everything_is_inside_the_data_folder() -> None:
    settings = Settings(data=Path("/data"))
    names = [name for name, part in vars(Settings).items() if isinstance(part, property)]
    paths = [part for name in names if isinstance(part := getattr(settings, name), Path)]
    assert len(paths) >= 6
    assert {path.parent for path in paths} == {settings.data}


SERVERS = {
    "FLASK_PERFORMANCE_DATABASE_URL": "postgres://ada:hunter2@db/metrics",
    "FLASK_PERFORMANCE_QUEUE_URL": "amqp://ada:hunter2@mq//",
    "FLASK_PERFORMANCE_STORE_URL": "clickhouse://ada:hunter2@events/default",
}


def test_three_servers() -> None:
    settings = Settings.read("x", SERVERS)
    check_homes(settings, "collector")
    check_homes(Settings.read("x", {}))
    assert settings.database_url == "postgresql+psycopg://ada:hunter2@db/metrics"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("names", "only", "match"),
    [
        (("QUEUE",), None, "QUEUE_URL needs FLASK_PERFORMANCE_DATABASE_URL and FLASK"),
        (("QUEUE", "DATABASE"), None, "QUEUE_URL needs FLASK_PERFORMANCE_STORE_URL as well"),
        (("STORE", "DATABASE"), None, "STORE_URL needs FLASK_PERFORMANCE_QUEUE_URL"),
        (("DATABASE",), "web", "--only web is for several processes"),
    ],
)
def test_servers_that_do_not_go_together(
    names: tuple[str, ...], only: Only | None, match: str
) -> None:
    environ = {name: SERVERS[name] for one in names if (name := f"FLASK_PERFORMANCE_{one}_URL")}
    with pytest.raises(SettingsError, match=match):
        check_homes(Settings.read("x", environ), only)


def test_a_disk_budget_is_for_one_folder() -> None:
    settings = Settings.read("x", {**SERVERS, "FLASK_PERFORMANCE_DISK_BUDGET": "20GB"})
    with pytest.raises(SettingsError, match="DISK_BUDGET is for one data folder"):
        check_homes(settings)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DATABASE_URL", "mysql://ada:hunter2@db/metrics"),
        ("DATABASE_URL", "postgresql://ada:hunter2@db"),
        ("QUEUE_URL", "kafka://ada:hunter2@mq"),
        ("SECRET", "hunter2"),
    ],
)
def test_a_server_that_is_none_of_ours(name: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"FLASK_PERFORMANCE_{name} must") as refused:
        Settings.read("x", {f"FLASK_PERFORMANCE_{name}": said})
    assert "hunter2" not in str(refused.value)
