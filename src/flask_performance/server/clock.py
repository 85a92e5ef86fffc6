"""Whether the clock can be believed when something is deleted for its age.

A clock may be wrong for a while: a machine starts with a dead battery, somebody sets the year. What
is deleted by such a clock does not come back.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

#: A clock that is ahead of where it should be by more than this has jumped, and is believed only
#: when it stayed so for long enough (seconds).
JUMP: Final = 3600.0
STAYS: Final = 24 * 3600.0


def _steady() -> float:
    """Seconds that pass while the machine sleeps as well."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Watches the clock from now on."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _steady
    ) -> None:
        self._wall, self._steady = wall, steady
        self._offset = wall() - steady()
        #: When the clock was seen ahead for the first time.
        self._since: float | None = None

    def believed(self) -> bool:
        """Whether it runs as it did, or has gone on for a day since it jumped ahead."""
        now = self._steady()
        ahead = self._wall() - now - self._offset
        if ahead <= JUMP:
            self._offset += ahead
            self._since = None
            return True
        if self._since is None:
            self._since = now
            log.warning(
                "The clock jumped ahead by %(hours).0f hours: nothing is deleted for its age until "
                "it has stayed so for a day. Mend it, if it is wrong.",
                {"hours": ahead / 3600},
            )
        if now - self._since < STAYS:
            return False
        self._offset += ahead
        self._since = None
        return True
