"""The commands of `flask-performance`. Each knows its options; the work is done in the rooms."""

import logging
import sys
from pathlib import Path

import click

from . import logs
from .accounts.commands import GROUPS, data_option
from .demo.command import demo
from .homes import Only
from .settings import LogFormat, Settings, SettingsError
from .upkeep.commands import COMMANDS as UPKEEP
from .upkeep.copying import copy_accounts, copy_store

log = logging.getLogger(__name__)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flask-performance")
def cli() -> None:
    """Every real request of a Flask app, live, and the proof that none was missed."""


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--only",
    type=click.Choice(["collector", "web"]),
    help="One part of several processes that share three servers (docs/scale.md).",
)
@data_option
def serve(host: str, port: int, only: Only | None, data: Path | None) -> None:
    """Run the platform: collector, pages and API in this one process."""
    try:
        settings = Settings.read(data)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    logs.configure(settings.log_level, as_json=settings.log is LogFormat.JSON)
    from .app import run  # half a second that no other command needs

    try:
        run(settings, host, port, only)
    except SettingsError as error:
        if settings.log is LogFormat.TEXT:
            raise click.ClickException(str(error)) from error
        log.critical("The server does not start: %(reason)s", {"reason": error})
        sys.exit(1)


cli.add_command(demo)
for command in (*GROUPS, *UPKEEP, copy_store, copy_accounts):
    cli.add_command(command)
