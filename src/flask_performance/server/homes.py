"""Which of the three homes go together. Either one process has everything in its folder, perhaps
with accounts on a server; or any number of processes share three servers.
"""

from typing import Literal

from .settings import PREFIX, Settings, SettingsError

#: What one process of several is for.
Only = Literal["collector", "web"]


def check_homes(settings: Settings, only: Only | None = None) -> None:
    """Raises SettingsError."""
    if settings.queue_url is None:
        if settings.store_url is not None:
            # A journal cannot say after a crash which blocks it handed out: their content varies,
            # and a store that knows blocks by their ids would take requests twice.
            raise SettingsError(
                f"{PREFIX}STORE_URL needs {PREFIX}QUEUE_URL and {PREFIX}DATABASE_URL as well: the "
                "embedded journal stores into DuckDB alone."
            )
        if only is not None:
            raise SettingsError(
                f"--only {only} is for several processes that share a broker; set "
                f"{PREFIX}QUEUE_URL, {PREFIX}DATABASE_URL and {PREFIX}STORE_URL."
            )
        return
    missing = [name for name in ("database_url", "store_url") if getattr(settings, name) is None]
    if missing:
        names = " and ".join(PREFIX + name.upper() for name in missing)
        raise SettingsError(
            f"{PREFIX}QUEUE_URL needs {names} as well: several processes share what it fills."
        )
    if settings.disk_budget is not None:
        raise SettingsError(
            f"{PREFIX}DISK_BUDGET is for one data folder; with {PREFIX}STORE_URL the event store "
            "is a server of its own: unset it, and set how long projects keep their data instead."
        )
