"""The commands: `user create`, `user reset`, `project create` and `token create`.

They work while `serve` runs (another process on the same SQLite file) and in a folder where it
never ran. What a script needs goes to standard output alone; everything else to standard error.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import Flask
from sqlalchemy import select

from flask_performance.server.settings import Settings, SettingsError

from . import factors, names, projects, teams, tokens, users
from .database import upgrade
from .dsn import dsn, known_url
from .models import Team, User, db
from .permissions import Scope
from .setup import init_app

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TEAM = "Default"


def data_option(command: F) -> F:
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="Folder of the server's data. Default: FLASK_PERFORMANCE_DATA, else "
        "./flask-performance-data.",
    )(command)


@contextmanager
def opened(data: Path | None) -> Iterator[Settings]:
    """An app context on the folder's accounts, closed with the command: a process that has a file
    open twice and closes it once loses SQLite's locks. What goes wrong is one sentence and exit
    code 1."""
    try:
        settings = Settings.read(data)
        app = Flask(__name__)
        init_app(app, settings)
        upgrade(app)
        with app.app_context():
            try:
                yield settings
            finally:
                db.session.remove()
                db.engine.dispose()
    except (SettingsError, names.RefusedError) as error:
        raise click.ClickException(str(error)) from error


@click.group()
def user() -> None:
    """People who can log in."""


@user.command("create")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@data_option
def create_user(email: str, password_stdin: bool, data: Path | None) -> None:
    """Create an account that logs in with EMAIL.

    Asks for the password twice, without showing it.
    """
    password = _password(password_stdin)
    with opened(data):
        created = users.create_user(email, password)
        click.echo(f"{created.email} can log in now.", err=True)


@user.command("reset")
@click.argument("email")
@data_option
def reset_password(email: str, data: Path | None) -> None:
    """Print a link with which EMAIL sets a new password, nothing else.

    It works once, for a day. Second factors stay.
    """
    with opened(data):
        click.echo(users.reset_link(_account(email)))


@user.command("second-factor-off")
@click.argument("email")
@data_option
def second_factor_off(email: str, data: Path | None) -> None:
    """Let EMAIL log in with the password alone.

    For who lost phone, security key and recovery codes. Make sure that it is they who ask.
    """
    with opened(data):
        account = _account(email)
        factors.take_away(account)
        db.session.commit()
        click.echo(f"{account.email} logs in with the password alone now.", err=True)


@user.command("administrator")
@click.argument("email")
@data_option
def make_administrator(email: str, data: Path | None) -> None:
    """Make EMAIL an administrator of this server, beside those there are."""
    with opened(data):
        account = _account(email)
        account.administrator = True
        db.session.commit()
        click.echo(f"{account.email} is an administrator of this server now.", err=True)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.ClickException(
            "There is no terminal to ask for the password; "
            "pipe it in and add --password-stdin to the command."
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@click.group()
def project() -> None:
    """Monitored apps."""


@project.command("create")
@click.argument("name")
@click.option("--team", default=DEFAULT_TEAM, show_default=True, help="Made if it is missing.")
@click.option("--owner", metavar="EMAIL", help="Whose team it is. Default: the first account's.")
@data_option
def create_project(name: str, team: str, owner: str | None, data: Path | None) -> None:
    """Create a project and print its DSN, nothing else.

    The project belongs to the team TEAM of the first account on this server, or of the one given
    with --owner; a missing team is made and that account owns it. Without --owner, a team that
    only other people have is used too. On a server without any account, whoever signs up first
    owns the teams made here.
    """
    with opened(data) as settings:
        created = projects.create_project(_team(team, owner), name)
        click.echo(dsn(known_url(settings), created.keys[0].key))


def _team(name: str, owner: str | None) -> Team:
    name = names.clean_name(name)
    owning = _account(owner) if owner is not None else users.first_user()
    if owning is not None:
        for team in teams.teams_of(owning):
            if team.name == name:
                return team
    if owner is None:
        others = db.session.scalars(select(Team).where(Team.name == name)).all()
        if len(others) > 1:
            raise names.RefusedError(
                f"Several teams are named {name!r}; say whose is meant with --owner EMAIL."
            )
        if others:
            return others[0]
    return teams.create_team(owning, name)


@click.group()
def token() -> None:
    """Keys to the REST API."""


@token.command("create")
@click.argument("email")
@click.option("--name", default="command line", show_default=True, help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    help="What it may do; give it once for each. Default: all that the account may.",
)
@click.option("--days", type=int, help="How long it lives. Default: for ever.")
@click.option("--team", metavar="NAME", help="Sees this team alone. Default: all of the account's.")
@data_option
def create_token(
    email: str,
    name: str,
    scopes: tuple[str, ...],
    days: int | None,
    team: str | None,
    data: Path | None,
) -> None:
    """Create an API token of the account EMAIL and print it, nothing else.

    It is shown this once.
    """
    with opened(data):
        owner = _account(email)
        within = None if team is None else _team_of(owner, team)
        chosen = [Scope(scope) for scope in scopes or Scope]
        click.echo(tokens.create_token(owner, name, chosen, days, within))


def _team_of(account: User, name: str) -> Team:
    for team in teams.teams_of(account):
        if team.name == names.clean_name(name):
            return team
    raise names.RefusedError(f"{account.email} is in no team named {name!r}.")


def _account(email: str) -> User:
    account = users.user_by_email(email)
    if account is None:
        raise names.RefusedError(
            f"Nobody has an account as {email}; "
            f"create it with `flask-performance user create {email}`."
        )
    return account


#: What the command line attaches.
GROUPS = (user, project, token)
