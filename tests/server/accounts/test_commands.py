"""`user create`, `project create`, `token create`, as processes at a shell."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flask_performance.server.accounts import projects, tokens, users
from flask_performance.server.accounts.models import db
from flask_performance.server.commands import cli
from tests.support.platform import COMMAND, environment, run_command

from .support import EMAIL, PASSWORD, Browser, make_app


def run(data: Path, *arguments: str, stdin: str | None = None) -> Result:
    """A command in this process: quick, for the many cases."""
    return CliRunner().invoke(
        cli,
        arguments,
        input=stdin,
        env={"FLASK_PERFORMANCE_DATA": str(data)},
        catch_exceptions=False,
    )


def create_user(data: Path, email: str = EMAIL) -> None:
    done = run(data, "user", "create", email, "--password-stdin", stdin=PASSWORD + "\n")
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr


def create_project(data: Path, *arguments: str) -> str:
    done = run(data, "project", "create", *arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def projects_of(data: Path, email: str) -> list[tuple[str, str]]:
    """Team and name of each project that this person finds in the browser."""
    with make_app(data).app_context():
        user = users.user_by_email(email)
        assert user is not None
        return [(project.team.name, project.name) for project in projects.projects_of(user)]


@pytest.mark.embedded
@pytest.mark.slow
def test_in_a_folder_where_serve_never_ran(data: Path) -> None:
    stdin = PASSWORD + "\n"
    made = run_command(data, "user", "create", EMAIL, "--password-stdin", stdin=stdin)
    assert (made.returncode, made.stdout) == (0, ""), made.stderr
    dsn = run_command(data, "project", "create", "Shop").stdout
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/v1/collector/[0-9a-f]{32}\n", dsn)
    token = run_command(data, "token", "create", EMAIL).stdout
    assert re.fullmatch(r"fp_[\w-]{43}\n", token)
    app = make_app(data)
    with app.app_context():
        owner = tokens.read_token(token.strip()).user
        assert owner is not None
        assert owner.email == EMAIL
    browser = Browser(app)
    browser.log_in()
    assert browser.logged_in_as() == EMAIL


def test_reset_prints_a_link_that_sets_a_password(data: Path) -> None:
    create_user(data)
    link = run(data, "user", "reset", EMAIL.upper()).stdout
    assert link.startswith("http://127.0.0.1:8000/reset/")
    path = link.removeprefix("http://127.0.0.1:8000").strip()
    app = make_app(data)
    new = {"password": "a new password", "password_confirm": "a new password"}
    assert Browser(app).post(path, form_at=path, **new).location == "/login"
    browser = Browser(app)
    browser.log_in(password="a new password")
    assert browser.logged_in_as() == EMAIL
    refused = run(data, "user", "reset", "bob@example.org")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Nobody has an account as bob@example.org" in refused.stderr


class TestAddressInTheDsn:
    def test_where_serve_listens(self, data: Path) -> None:
        data.mkdir()
        (data / "address").write_text("http://127.0.0.1:8123\n")
        assert create_project(data, "Shop").startswith("http://127.0.0.1:8123/v1/collector/")

    @pytest.mark.slow
    def test_the_one_set_by_the_operator(self, data: Path) -> None:
        done = subprocess.run(
            [*COMMAND, "project", "create", "Shop", "--data", str(data)],
            env=environment(FLASK_PERFORMANCE_URL="https://metrics.example.com/"),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.startswith("https://metrics.example.com/v1/collector/")


class TestWhoFindsTheProject:
    def test_the_only_user(self, data: Path) -> None:
        create_user(data)
        create_project(data, "Shop")
        assert projects_of(data, EMAIL) == [("Default", "Shop")]

    def test_the_first_user_where_there_are_several(self, data: Path) -> None:
        create_user(data)
        create_user(data, "bob@example.org")
        create_project(data, "Shop", "--team", "Shops")
        assert projects_of(data, EMAIL) == [("Shops", "Shop")]
        assert projects_of(data, "bob@example.org") == []

    def test_the_owner_given(self, data: Path) -> None:
        create_user(data)
        create_user(data, "bob@example.org")
        create_project(data, "Shop")
        create_project(data, "Bobs", "--owner", "bob@example.org")
        assert projects_of(data, EMAIL) == [("Default", "Shop")]
        assert projects_of(data, "bob@example.org") == [("Default", "Bobs")]

    def test_whoever_signs_up_first_later(self, data: Path) -> None:
        create_project(data, "Shop")
        create_project(data, "Blog")
        app = make_app(data)
        Browser(app).sign_up("first@example.org")
        Browser(app).sign_up("second@example.org")
        assert projects_of(data, "second@example.org") == []
        assert projects_of(data, "first@example.org") == [("Default", "Blog"), ("Default", "Shop")]

    def test_the_members_of_a_team_that_others_made(self, data: Path) -> None:
        create_user(data)
        create_user(data, "bob@example.org")
        create_project(data, "One", "--team", "Bobs", "--owner", "bob@example.org")
        create_project(data, "Two", "--team", "Bobs")
        assert projects_of(data, "bob@example.org") == [("Bobs", "One"), ("Bobs", "Two")]
        assert projects_of(data, EMAIL) == []

    def test_nobody_where_several_teams_could_be_meant(self, data: Path) -> None:
        for name in ("ada", "bob", "eve"):
            create_user(data, f"{name}@example.org")
        for name in ("bob", "eve"):
            create_project(data, "X", "--team", "Shops", "--owner", f"{name}@example.org")
        done = run(data, "project", "create", "Y", "--team", "Shops")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "say whose is meant with --owner EMAIL" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["user", "create", "bob@example.org"], "add --password-stdin"),
        (["user", "create", "nobody", "--password-stdin"], "'nobody' is not an email address"),
        (["token", "create", "bob@example.org"], "flask-performance user create bob@example.org"),
        (["project", "create", "Shop", "--owner", "bob@example.org"], "Nobody has an account as"),
        (["project", "create", " "], "A name has 1 to 80 characters"),
        (["project", "create", "Taken"], "already has a project named 'Taken'"),
        (["project", "create", "X", "--data", "/proc/nowhere"], "--data is writable"),
    ],
)
def test_a_refusal_is_one_sentence(data: Path, arguments: list[str], words: str) -> None:
    create_project(data, "Taken")
    done = run(data, *arguments, stdin=PASSWORD)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


@pytest.mark.embedded
@pytest.mark.slow
def test_the_password_is_asked_twice_and_not_shown(data: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "user", "create", EMAIL, "--data", str(data)]
    process = subprocess.Popen(
        command,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = answer_prompts(ours, [b"Password: ", b"Repeat for confirmation: "])
    assert process.wait(30) == 0, screen
    os.close(ours)
    assert PASSWORD.encode() not in screen
    browser = Browser(make_app(data))
    browser.log_in()
    assert browser.logged_in_as() == EMAIL


def answer_prompts(terminal: int, prompts: list[bytes]) -> bytes:
    """Everything shown, with the password typed at each prompt."""
    shown = b""
    deadline = time.monotonic() + 30
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            shown += os.read(terminal, 1024)
        except OSError:  # the other end closed: the process is done
            return shown
        if prompts and shown.endswith(prompts[0]):
            prompts.pop(0)
            os.write(terminal, PASSWORD.encode() + b"\n")
    raise TimeoutError(f"the command did not end; it showed {shown!r}")


@pytest.mark.embedded
@pytest.mark.slow
def test_many_at_once_all_succeed(data: Path) -> None:
    create_user(data)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "flask_performance.server.cli", "project", "create", f"App {n}"],
            env=environment(FLASK_PERFORMANCE_DATA=str(data)), stdout=subprocess.PIPE, text=True,
        )
        for n in range(4)
    ]  # fmt: skip
    keys = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert len(keys) == 4
    assert len(projects_of(data, EMAIL)) == 4


def test_who_lost_the_second_factor_gets_in_with_the_password(data: Path) -> None:
    create_user(data)
    with make_app(data).app_context():
        user = users.user_by_email(EMAIL)
        assert user is not None
        user.tf_primary_method, user.tf_totp_secret = "authenticator", "lost"
        user.mf_recovery_codes = ["lost too"]
        db.session.commit()
    done = run(data, "user", "second-factor-off", EMAIL)
    assert done.exit_code == 0, done.stderr
    assert "with the password alone" in done.stderr
    assert Browser(make_app(data)).log_in().location == "/projects"


def test_somebody_else_becomes_an_administrator(data: Path) -> None:
    create_user(data)
    create_user(data, "grace@example.org")
    done = run(data, "user", "administrator", "grace@example.org")
    assert done.exit_code == 0, done.stderr
    with make_app(data).app_context():
        people = [users.user_by_email(email) for email in (EMAIL, "grace@example.org")]
        assert [one is not None and one.administrator for one in people] == [True, True]


@pytest.mark.parametrize("command", ["second-factor-off", "administrator"])
def test_a_command_for_nobody_says_so(data: Path, command: str) -> None:
    done = run(data, "user", command, "nobody@example.org")
    assert done.exit_code == 1
    assert "nobody@example.org" in done.stderr
