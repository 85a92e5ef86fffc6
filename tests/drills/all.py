"""All drills by name."""

from collections.abc import Mapping
from typing import Final

from .damage import damage
from .deaths import kill, term
from .disk import full_disk
from .play import Drill

DRILLS: Final[Mapping[str, Drill]] = {
    "kill": kill,
    "term": term,
    "full-disk": full_disk,
    "damage": damage,
}
