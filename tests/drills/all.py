"""All drills by name."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from tests.support.brokers import Redis

from .api import api
from .backups import backup
from .clock import clock
from .damage import damage
from .deaths import kill, term
from .disk import full_disk
from .locks import locked
from .play import Drill
from .strangers import bombs, liars, names, slow_loris
from .workers import workers

DRILLS: Final[Mapping[str, Drill]] = {
    "api": api,
    "bombs": bombs,
    "backup": backup,
    "clock": clock,
    "damage": damage,
    "full-disk": full_disk,
    "kill": kill,
    "liars": liars,
    "locked": locked,
    "names": names,
    "slow-loris": slow_loris,
    "term": term,
    "workers": workers,
    "workers-redis": partial(workers, kind=Redis),
}
