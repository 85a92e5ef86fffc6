"""The scaled set as one platform behind one address: for tests that do not care which it is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from .front import running_front
from .platform import Platform
from .scaled import Process, Scaled, Servers, three_servers

#: As `running_platform`: a data folder and settings.
Serve = Callable[..., AbstractContextManager[Platform]]


class ScaledPlatform(Platform):
    """A collector, a web process, a worker and beat, started and killed together."""

    def __init__(self, data: Path, servers: Servers, stack: ExitStack, **more: str) -> None:
        data.mkdir(parents=True)
        behind: dict[str, int] = {}
        port = stack.enter_context(running_front(behind))
        url = f"http://localhost:{port}"  # a name: passkeys need one
        self._set = Scaled(data, servers, FLASK_PERFORMANCE_URL=url, **more)
        behind |= {"/v1/": self._set.collector.port, "/": self._set.web.port}
        super().__init__(data, **self._set.settings)
        self.port, self.url, self.log = port, url, self._set.web.log
        self._others: list[Process] = []

    def spawn(self, *options: str, **settings: str) -> Self:
        self._set.web.spawn("--only", "web", *options, **settings)
        self._set.collector.spawn("--only", "collector", *options, **settings)
        self._others = [self._set.worker("worker"), self._set.beat()]
        return self

    def wait_until_ready(self) -> Self:
        for part in (self._set.web, self._set.collector):
            part.wait_until_ready()
        for process in self._others:
            process.wait()
        return self

    def stop(self) -> int:
        for process in self._others:
            process.end()
        return self._set.collector.stop() or self._set.web.stop()

    def kill(self) -> None:
        self._set.web.kill()
        self._set.collector.kill()
        for process in self._others:
            process.kill()

    def end(self) -> None:
        with ExitStack() as stack:
            stack.callback(self._set.collector.end)
            stack.callback(self._set.web.end)
            for process in self._others:
                process.kill()


@contextmanager
def running_scaled(servers: Servers, data: Path, **settings: str) -> Iterator[Platform]:
    """As `running_platform`, on these servers."""
    with ExitStack() as stack:
        platform = ScaledPlatform(data, servers, stack, **settings)
        stack.callback(platform.end)
        yield platform.start()


@contextmanager
def scaled_homes() -> Iterator[Serve]:
    """Servers for any number of platforms, one after the other or at once."""
    with three_servers(durable=False) as servers:
        yield partial(running_scaled, servers)
