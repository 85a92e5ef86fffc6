"""A ClickHouse server of the tests' own: Debian's, in a folder, on free ports."""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from clickhouse_driver import Client, errors

from .platform import running_pid
from .waiting import free_port

#: A server that starts is asked until it answers; each time the driver would print a trace.
logging.getLogger("clickhouse_driver.connection").setLevel(logging.ERROR)

COMMAND: Final = "/usr/sbin/clickhouse-server"  # not on everybody's path
#: How long a server may take to answer (seconds).
START: Final = 30.0
CONFIG: Final = """<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <tcp_port>{port}</tcp_port>
  <interserver_http_port>{interserver}</interserver_http_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/tmp/</tmp_path>
  <user_files_path>{folder}/files/</user_files_path>
  <format_schema_path>{folder}/schemas/</format_schema_path>
  <mark_cache_size>268435456</mark_cache_size>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <background_pool_size>4</background_pool_size>
  {more}
</yandex>
"""
USERS: Final = """<yandex>
  <profiles><default><max_memory_usage>3000000000</max_memory_usage>
    <background_pool_size>4</background_pool_size></default></profiles>
  <users>
    <default><password></password><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota></default>
    <app><password>se cret@</password><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota></app>
  </users>
  <quotas><default></default></quotas>
</yandex>
"""


class ClickHouseServer:
    """One server; `kill` and `start` as often as a test likes."""

    def __init__(self, folder: Path, more: str = "", ports: tuple[int, int] | None = None) -> None:
        self.folder = folder
        self.port, self._interserver = ports or (free_port(), free_port())
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        values = {"port": self.port, "interserver": self._interserver, "folder": folder}
        (folder / "config.xml").write_text(CONFIG.format(**values, more=more))
        (folder / "users.xml").write_text(USERS)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return running_pid(self._process)

    def url(self, database: str = "default") -> str:
        return f"clickhouse://{self.host}/{database}"

    def start(self) -> None:
        """Returns when it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, f"--config-file={self.folder}/config.xml"],
                cwd=self.folder, stdout=log, stderr=log, env=_environment(),
            )  # fmt: skip

    def wait(self) -> None:
        deadline = time.monotonic() + START
        while True:
            try:
                self.ask("select 1")
            except (errors.Error, OSError, EOFError):
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        client = Client("127.0.0.1", self.port, connect_timeout=2)
        try:
            return list(client.execute(statement))
        finally:
            client.disconnect()

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(30)

    def stop(self) -> None:
        self.kill(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def _environment() -> Mapping[str, str]:
    return {**os.environ, "TZ": "UTC"}


@contextlib.contextmanager
def clickhouse_server(folder: Path) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
