"""Become another program that is told to stop when its parent dies. Run as a script: `leash.py PARENT_PID PROGRAM...`.

The demo's children must not outlive it, not even when it is killed with SIGKILL. The kernel keeps the wish across exec;
setting it between fork and exec of a process with threads is not safe, so this program sets it and then steps aside.
Without Linux's prctl it only steps aside.
"""

import contextlib
import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the program; ends it if the parent is gone already."""
    parent, program = int(arguments[0]), arguments[1:]
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have died before the wish was known.
    if os.getppid() != parent:
        sys.exit(f"leash: the parent {parent} is gone")
    try:
        os.execv(program[0], program)  # noqa: S606 - the program that the demo names, no shell wanted
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
