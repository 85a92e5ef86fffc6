"""Fixtures of the client's tests: apps that record into memory, and a collector on loopback."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance.testing import MemoryTransport, RecordedRequest

from .stub import Collector, running_collector


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("METRIC_", "FLASK_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@dataclass
class Installed:
    """An app with the extension, recording into memory."""

    app: Flask
    extension: PerformanceCollector
    transport: MemoryTransport

    @property
    def requests(self) -> list[RecordedRequest]:
        assert self.extension.flush(self.app, 30)
        return self.transport.requests

    def only(self) -> RecordedRequest:
        """The one request that was recorded."""
        requests = self.requests
        assert len(requests) == 1, requests
        return requests[0]


Install = Callable[[Flask], Installed]


@pytest.fixture
def install() -> Iterator[Install]:
    apps: list[Installed] = []

    def install_on(app: Flask) -> Installed:
        transport = MemoryTransport()
        installed = Installed(app, PerformanceCollector(app, transport=transport), transport)
        apps.append(installed)
        return installed

    yield install_on
    for installed in apps:
        installed.extension.stop(installed.app, 30)
