"""The home of the event store that an operator chose."""

from flask_performance.server.settings import Settings, SettingsError

from .base import EventStore
from .duckdb import DuckDBStore


def open_store(settings: Settings, *, everywhere: bool = False) -> EventStore:
    """Raises SettingsError where it cannot be used; the password of its URL is in no message.

    `everywhere`: on all servers that it may have, not only on those that answer."""
    if settings.store_url is None:
        return DuckDBStore(settings.events)
    try:
        from .clickhouse import ClickHouseStore
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"FLASK_PERFORMANCE_STORE_URL needs {error.name}; it comes with `pip install "
            "'flask-performance[server,scale]'`."
        ) from error
    return ClickHouseStore.open(settings.store_url, everywhere=everywhere)
