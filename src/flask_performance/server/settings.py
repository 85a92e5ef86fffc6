"""Environment to frozen settings: every FLASK_PERFORMANCE_* variable, default and meaning."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PREFIX = "FLASK_PERFORMANCE_"


class SettingsError(Exception):
    """A setting that cannot be right. The message is one sentence for the operator."""


@dataclass(frozen=True)
class Settings:
    """What an operator decides. All paths are inside `data`."""

    #: Folder that holds everything (FLASK_PERFORMANCE_DATA).
    data: Path
    #: The address people and apps reach this server at, without a slash at the end
    #: (FLASK_PERFORMANCE_URL). None: what the browser's request says.
    url: str | None = None

    @property
    def accounts_database(self) -> Path:
        return self.data / "accounts.sqlite3"

    @property
    def journal(self) -> Path:
        return self.data / "journal.sqlite3"

    @property
    def events(self) -> Path:
        return self.data / "events.duckdb"

    @property
    def secret_key(self) -> Path:
        return self.data / "secret_key"

    @property
    def lock(self) -> Path:
        return self.data / "serve.lock"

    @property
    def address(self) -> Path:
        """Where the last `serve` of this folder listened; commands print DSNs with it."""
        return self.data / "address"

    @classmethod
    def read(cls, data: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Self:
        """An argument wins over the environment, the environment over the default."""
        folder = Path(data or environ.get(PREFIX + "DATA") or "flask-performance-data")
        url = environ.get(PREFIX + "URL") or None
        if url is not None and not url.startswith(("http://", "https://")):
            raise SettingsError(
                f"{PREFIX}URL is {url!r}, but must start with http:// or https://, "
                "for example https://metrics.example.com"
            )
        return cls(data=folder.expanduser().absolute(), url=url.rstrip("/") if url else None)
