"""The stored requests of projects that the accounts do not have any more."""

import logging
from collections.abc import Iterable

from flask_performance.server.store.base import EventStore, StoreUnavailableError

log = logging.getLogger(__name__)


def forget(store: EventStore, project_ids: Iterable[int]) -> None:
    """Delete them. What fails here a job repeats: the deed that went before is done all the same.

    The accounts come first, so that ingest drops what comes meanwhile.
    """
    try:
        for project_id in project_ids:
            store.delete_project(project_id)
    except StoreUnavailableError:
        log.warning("The rows of deleted projects go later: the event store takes nothing now")
