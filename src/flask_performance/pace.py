"""How long our thread may keep the interpreter to itself.

A request that waits for the interpreter is a slow request. But to give it away at every turn is
worse: a thread that wants it back from a busy one waits for 5 ms (`sys.getswitchinterval`), and
both pay for the change. So it is given away by the time that was worked, not by the step.
"""

import time
from typing import Final

#: Seconds of work after which others have their turn. Of a process that is busy with requests this
#: leaves us a sixth, enough for some 100,000 requests a second.
HOLD: Final = 0.001
#: Seconds: long enough for a thread that waits to wake up and take the interpreter.
_NAP: Final = 0.000_05


class Pace:
    """The pace of one thread."""

    def __init__(self) -> None:
        self._worked = time.thread_time()

    def give_way(self) -> None:
        """Let others have the interpreter, if we had it for long."""
        if time.thread_time() - self._worked >= HOLD:
            time.sleep(_NAP)
            self._worked = time.thread_time()
