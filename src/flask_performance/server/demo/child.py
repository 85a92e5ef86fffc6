"""Becomes another command that ends when the demo does: `python -m …demo.child PID COMMAND…`.

On Linux the kernel is asked to send SIGTERM to this process when its parent is gone, so that not
even `kill -9` of the demo leaves a server behind. Elsewhere it is just the command. PID is the
demo's, to see that it was not gone before the kernel was asked.
"""

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1  # prctl(2); kept across execve


def main() -> None:
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):
            return
    os.execvp(command[0], command)  # noqa: S606 - the demo's own command line  # nosec B606


if __name__ == "__main__":
    main()
