"""Stops one thread of a living process, by the debugger's interface: what a call that never returns looks like from
outside, without a line of the program changed.

    with hung_thread(pid, "controller"):
        ...
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAME_BYTES: Final = 15
"""Of a thread's name, by the kernel."""
_HOLD: Final = """
import ctypes, os, sys
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
thread = int(sys.argv[1])
for request in (SEIZE, INTERRUPT):
    if libc.ptrace(request, thread, None, None) < 0:
        sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
print("held" if os.WIFSTOPPED(os.waitpid(thread, WALL)[1]) else "gone", flush=True)
# A thread that dies while it is held is buried here, so that its process can end.
while not os.WIFEXITED(status := os.waitpid(thread, WALL)[1]) and not os.WIFSIGNALED(status):
    pass
"""


def thread_id(pid: int, name: str) -> int:
    """The kernel's number of a process's thread."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().rstrip("\n") == name[:NAME_BYTES]:
            return int(task.name)
    raise AssertionError(f"process {pid} has no thread {name!r}")


@contextmanager
def hung_thread(pid: int, name: str) -> Iterator[None]:
    """While this holds, the thread does nothing; afterwards it goes on, if its process lives."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(thread_id(pid, name))], stdout=subprocess.PIPE, text=True
    )
    with holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n", "the thread can't be held: is ptrace allowed?"
            yield
        finally:
            holder.kill()
