"""Where a ClickHouse store is: `clickhouse://user:password@host1:9000,host2/database?cluster=name`."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from flask_performance.server.settings import SettingsError

SCHEMES: Final = {"clickhouse": 9000, "clickhouses": 9440}
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
WRONG: Final = (
    "FLASK_PERFORMANCE_STORE_URL must be like clickhouse://user:password@host1,host2/database, "
    "with ?cluster=name for a cluster, and clickhouses:// for TLS; write special characters of the "
    "password as %40 and so on."
)


@dataclass(frozen=True)
class Address:
    """The parts of a URL. Its password is never shown."""

    hosts: tuple[tuple[str, int], ...]
    database: str
    user: str = "default"
    password: str = field(default="", repr=False)
    cluster: str | None = None
    #: How many replicas must have a request before its block counts.
    quorum: int = 1
    tls: bool = False

    def __str__(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self.hosts)

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises SettingsError."""
        try:
            parts = urlsplit(url)
            options = (
                dict(parse_qsl(parts.query, strict_parsing=True, keep_blank_values=True))
                if parts.query
                else {}
            )
            quorum = int(options.pop("quorum", "1"))
        except ValueError:
            raise SettingsError(WRONG) from None
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        database = parts.path.removeprefix("/") or "default"
        cluster = options.pop("cluster", None)
        names = [database] + ([cluster] if cluster else [])
        found = [HOST.fullmatch(host) for host in hosts.split(",")]
        if (
            parts.scheme not in SCHEMES or not all(found) or options or quorum < 1
            or cluster == "" or not all(NAME.fullmatch(name) for name in names)
        ):  # fmt: skip
            raise SettingsError(WRONG)
        default = SCHEMES[parts.scheme]
        return cls(
            hosts=tuple((one[1].strip("[]"), int(one[2] or default)) for one in found if one),
            database=database,
            user=unquote(user) or "default",
            password=unquote(password),
            cluster=cluster,
            quorum=quorum,
            tls=parts.scheme == "clickhouses",
        )
