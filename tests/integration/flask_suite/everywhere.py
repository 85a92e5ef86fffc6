"""A pytest plugin: the extension on every Flask app that is built, recording into memory."""

from typing import Any

import flask
import pytest

from flask_performance import PerformanceCollector
from flask_performance.extension import sender_of
from flask_performance.testing import MemoryTransport

transport = MemoryTransport()
apps: list[flask.Flask] = []
_init = flask.Flask.__init__


def init(self: flask.Flask, *args: Any, **kwargs: Any) -> None:
    _init(self, *args, **kwargs)
    PerformanceCollector(self, transport=transport)
    apps.append(self)


flask.Flask.__init__ = init  # type: ignore[method-assign]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    senders = [sender for app in apps if (sender := sender_of(app)) is not None]
    for sender in senders:
        sender.flush()
    seen = sum(sender.ledger.seen for sender in senders)
    dropped = sum(sum(sender.ledger.dropped.values()) for sender in senders)
    terminalreporter.write_line(
        f"flask-performance: {len(apps)} apps, {seen} seen, {len(transport.requests)} recorded, "
        f"{dropped} dropped"
    )
