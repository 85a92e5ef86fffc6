"""`flask-performance demo`: the platform at work on a shop with visitors, by one command."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import click

from . import account
from .account import COMMAND, Account
from .processes import Child, Children, DemoError, accepts, any_free_port, port_is_free

READY_SECONDS: Final = 30.0
WATCH_SECONDS: Final = 0.25
#: The shop's processes: two, so that the ledger has more than one instance to add up.
SHOP_WORKERS: Final = 2
#: More than the extension takes to send its last batch.
SHOP_END_SECONDS: Final = 3
SHOP: Final = "flask_performance.server.demo.shop:create_app"
TRAFFIC: Final = "flask_performance.server.demo.traffic"


@click.command("demo")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default="flask-performance-demo",
    show_default=True,
    envvar="FLASK_PERFORMANCE_DATA",
    help="Folder of the demo's own data; kept, so that the next run has its history.",
)
def demo(host: str, port: int, data: Path) -> None:
    """Start the platform with an example shop and real traffic. Ctrl-C ends all of it."""
    # SIGINT too: a shell that starts us in the background has set it to "ignore".
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, _interrupt)
    try:
        _run(host, port, data.expanduser().absolute())
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("The demo has ended; nothing of it runs any more.", err=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _run(host: str, port: int, data: Path) -> None:
    known = _open(data)
    if not port_is_free(host, port):
        raise DemoError(f"Port {port} of {host} is taken; name a free one, as in --port {port + 1}")
    environ = _environment(data)
    with Children(data) as children:
        address = _start_platform(children, environ, host, port)
        login = known or account.create(data, environ, address)
        shop = _start_shop(children, environ, address + login.key)
        children.start("traffic", [sys.executable, "-m", TRAFFIC, shop], environ)
        click.echo(
            f"Open {address}/projects/{login.project} and log in as {login.email} "
            f"with the password {login.password} (Ctrl-C ends the demo)"
        )
        while True:
            children.check()
            time.sleep(WATCH_SECONDS)


def _open(data: Path) -> Account | None:
    """The account of an earlier run. Raises DemoError for a folder that is not the demo's."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        known = Account.read(data)
    except OSError as error:
        raise DemoError(f"Cannot use {data} as the demo's data folder: {error.strerror}") from error
    if known is None and (data / "journal.sqlite3").exists():
        raise DemoError(
            f"{data} holds a platform without the demo's login. Name another folder with --data, "
            "or delete this one if an earlier demo began it."
        )
    return known


def _environment(data: Path) -> dict[str, str]:
    """This shell's, less what would make the shop or the platform anything but the demo."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("METRIC_", "FLASK_", "GRANIAN_"))
    }
    return {**kept, "FLASK_PERFORMANCE_DATA": str(data)}


def _start_platform(children: Children, environ: Mapping[str, str], host: str, port: int) -> str:
    """Returns the address at which this machine reaches it."""
    serve = [*COMMAND, "serve", "--host", host, "--port", str(port)]
    platform = children.start("platform", serve, environ)
    address = f"http://{_reachable(host)}:{port}"
    platform.wait_until(lambda: _healthy(address), READY_SECONDS)
    return address


def _reachable(host: str) -> str:
    """How a URL names a host that was given to listen on."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound  # nosec B104
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _healthy(address: str) -> bool:
    try:
        with urlopen(f"{address}/health", timeout=2) as answer:  # noqa: S310 - our own server  # nosec B310
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _start_shop(children: Children, environ: Mapping[str, str], dsn: str) -> str:
    """The shop under Granian; returns its address."""
    port = any_free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--factory"]
    command += ["--workers", str(SHOP_WORKERS), "--blocking-threads", "8", "--no-access-log"]
    # A worker that is told to stop while it starts does not hear it (seen with 2.8.7).
    command += ["--workers-kill-timeout", str(SHOP_END_SECONDS)]
    command += ["--host", "127.0.0.1", "--port", str(port), SHOP]
    shop: Child = children.start("shop", command, {**environ, "METRIC_DSN": dsn})
    shop.wait_until(lambda: accepts(port), READY_SECONDS)
    return f"http://127.0.0.1:{port}"
