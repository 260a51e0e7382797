"""The daemon with a door for exceptions: a thread's name that is written to the FIFO $BOMBS raises one in that thread,
at its next step, wherever it is. Nothing of the daemon is changed. A prefix to its command.
"""

import ctypes
import os
import sys
import threading
from pathlib import Path


class Bomb(Exception):  # noqa: N818 - what it is
    """Of no kind that anybody expects: a RuntimeError that hits the control thread just as it starts a client's thread
    is taken for a want of threads, and no worker fails."""


def bomb(name: str) -> None:
    """Raise an exception in the thread of this name, if it lives."""
    for thread in threading.enumerate():
        if thread.name == name and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Bomb))


def listen() -> None:
    """Take orders."""
    while True:
        for line in Path(os.environ["BOMBS"]).read_text().splitlines():
            bomb(line)


if __name__ == "__main__":
    from agent.cli import main

    threading.Thread(target=listen, name="bombs", daemon=True).start()
    sys.argv = ["cardea", *sys.argv[sys.argv.index("run") :]]
    main()
