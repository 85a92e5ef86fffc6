"""What a project may have of things that a store remembers one by one.

Whoever holds a DSN chooses their names; without a bound one of them could fill memory and pages.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from .block import OperationKey

log = logging.getLogger(__name__)

#: Operations of a project. Requests of further ones are counted together, as `OTHER`.
MOST_OPERATIONS: Final = 10_000
#: Routes that its apps may have declared, in all environments and releases.
MOST_ROUTES: Final = 50_000
#: Method and route of that operation; OpenTelemetry's word for what is not on a list.
OTHER: Final = "_OTHER"


def bounded(
    keys: Iterable[OperationKey], known: AbstractSet[OperationKey]
) -> dict[OperationKey, OperationKey]:
    """For each key the one under which its requests are stored: itself while there is room."""
    stored = {key: key for key in keys}
    new = [key for key in stored if key not in known]
    if not new:
        return stored
    counts = Counter(key.project_id for key in known)
    for key in new:
        if counts[key.project_id] < MOST_OPERATIONS:
            counts[key.project_id] += 1
        else:
            stored[key] = OperationKey(key.project_id, OTHER, OTHER, None)
    for other in {stored[key] for key in new} - known - set(new):
        log.warning(
            "Project %(project)d has %(most)d operations, which is the most: its requests of "
            "others are counted together as %(other)s.",
            {"project": other.project_id, "most": MOST_OPERATIONS, "other": OTHER},
        )
    return stored
