"""All drills by name."""

from collections.abc import Mapping
from typing import Final

from .api import api
from .backups import backup
from .damage import damage
from .deaths import kill, term
from .disk import full_disk
from .play import Drill

DRILLS: Final[Mapping[str, Drill]] = {
    "api": api,
    "backup": backup,
    "damage": damage,
    "full-disk": full_disk,
    "kill": kill,
    "term": term,
}
