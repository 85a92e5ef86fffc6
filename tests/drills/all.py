"""All drills by name."""

from collections.abc import Mapping
from typing import Final

from .api import api
from .damage import damage
from .deaths import kill, term
from .disk import full_disk
from .play import Drill

DRILLS: Final[Mapping[str, Drill]] = {
    "api": api,
    "damage": damage,
    "full-disk": full_disk,
    "kill": kill,
    "term": term,
}
