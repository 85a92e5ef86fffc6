"""`PerformanceCollector`: what a Flask app installs."""

import logging
import weakref
from typing import TYPE_CHECKING, NamedTuple

import click
from flask import Flask

from .config import Options, unknown_keys
from .connexion3 import bridge_of
from .exceptions import ExceptionNotes
from .hooks import ConsumerHook, EditHook, Hooks
from .recorder import wrap
from .sender import LAST_FLUSH, Sender
from .transport import HttpTransport, Transport
from .version import CLIENT

if TYPE_CHECKING:
    from .wire import Ledger

logger = logging.getLogger("flask_performance")

#: The name under which we stand in `app.extensions`.
EXTENSION = "flask_performance"


class Installation(NamedTuple):
    """What an app keeps of us."""

    sender: Sender
    notes: ExceptionNotes
    wsgi_app: object  # the wrapper, as it was put around the app


def sender_of(app: Flask) -> Sender | None:
    """The sender of an app; None where the extension is off or missing."""
    installation: Installation | None = app.extensions.get(EXTENSION)
    return installation.sender if installation is not None else None


class PerformanceCollector:
    """Records every request of a Flask app and sends them to the platform that METRIC_DSN names.

    ::

        app.config["METRIC_DSN"] = "https://metrics.example.com/v1/collector/c5b3…"
        PerformanceCollector(app)

    With an app factory, build it without an app and call `init_app`. One collector may serve
    several apps; nothing of an app is kept in it.

    :param app: the app to record, or None to call `init_app` later.
    :param transport: where batches go instead of to METRIC_DSN; see `flask_performance.testing`.
    """

    def __init__(self, app: Flask | None = None, *, transport: Transport | None = None) -> None:
        self._transport = transport
        self._hooks = Hooks()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Wrap `app.wsgi_app`. Raise ConfigError when a METRIC_* value cannot be right.

        A second call for the same app changes nothing.
        """
        if app is None:
            raise TypeError("init_app() needs the Flask app: PerformanceCollector().init_app(app)")
        if EXTENSION in app.extensions:
            logger.warning("Flask-Performance is installed on %r already.", app.name)
            return
        options = Options.read(app.config)
        for name in unknown_keys(app.config):
            logger.warning("%s in app.config is no key of Flask-Performance.", name)
        app.cli.add_command(_doctor_group())
        transport = self._transport_for(options)
        app.extensions[EXTENSION] = None
        if transport is None:
            return
        sender = Sender(
            options,
            transport,
            self._hooks,
            app=weakref.ref(app),
            root=app.root_path,
            debug=app.debug,
        )
        notes = ExceptionNotes(app, sender.buffer)
        wrapped = wrap(app.wsgi_app, sender.buffer, self._hooks)
        app.wsgi_app = wrapped  # type: ignore[method-assign,assignment]
        app.extensions[EXTENSION] = Installation(sender, notes, wrapped)
        bridge = bridge_of(app)
        if bridge is not None:
            bridge.app = wrap(bridge.app, sender.buffer, self._hooks)
        weakref.finalize(app, sender.leave).atexit = False

    def _transport_for(self, options: Options) -> Transport | None:
        if not options.enabled:
            # As loud as a missing DSN: servers show warnings and leave out what is below.
            logger.warning("Flask-Performance is off: METRIC_ENABLED is false.")
            return None
        if self._transport is not None:
            return self._transport
        if options.dsn is None:
            logger.warning(
                "Flask-Performance is off: METRIC_DSN is set neither in app.config nor in the "
                "environment. The project's page shows it."
            )
            return None
        return HttpTransport(options.dsn, options.timeout, CLIENT)

    def consumer(self, hook: ConsumerHook) -> ConsumerHook:
        """Decorate the function that names who called: a user, an API key's label, a tenant.

        It runs once a request, within the request's context, before the response starts. None
        stands for nobody. The name is sent as it is: leave out what must not leave the app.
        """
        self._hooks.consumer = hook
        return hook

    def edit(self, hook: EditHook) -> EditHook:
        """Decorate the function that sees each record before it is sent, as a `Draft`.

        It returns the draft, changed or not, or None to have the request counted but not sent. It
        runs on the sender's thread, outside any context.
        """
        self._hooks.edit = hook
        return hook

    def flush(self, app: Flask, timeout: float = LAST_FLUSH) -> bool:
        """Send what `app` recorded so far; True when the platform has answered in time."""
        sender = sender_of(app)
        return sender.flush(timeout) if sender is not None else True

    def stop(self, app: Flask, timeout: float = LAST_FLUSH) -> None:
        """Send what waits and end the thread of `app`; a later request starts a new one."""
        sender = sender_of(app)
        if sender is not None:
            sender.stop(timeout)

    def ledger(self, app: Flask) -> "Ledger":
        """What this process counted for `app`: seen, sent, dropped by reason."""
        sender = sender_of(app)
        return sender.ledger.member() if sender else {"seen": 0, "sent": 0, "dropped": {}}


def _doctor_group() -> click.Command:
    """`flask performance …`; its module is read when the command runs, not when the app starts."""
    return LazyGroup("performance", help="Flask-Performance in this app.")


class LazyGroup(click.Group):
    """The commands of `doctor`, imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._commands.list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._commands.get_command(ctx, cmd_name)

    @property
    def _commands(self) -> click.Group:
        from .doctor import cli

        return cli
