"""Settings of the interpreter and the C library that make a daemon of many threads small and quick to answer."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SWITCH_S: Final = 0.0005
"""How long a thread that works may keep the others waiting, such as the sync that reads a list of 20 MB. A tap changes
threads four times, and would wait Python's usual 5 ms each time."""
# Of malloc.h. Each thread would get an arena of its own, and what the first requests to AWS need for a moment would
# never go back: together 4 MiB.
_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
_ARENAS: Final = 1
_MMAP_THRESHOLD_BYTES: Final = 64 << 10


_ORNAMENTS: Final = ("rich", "greenlet")
"""What structlog loads when it finds it: coloured tracebacks for a terminal, and threads that are none."""


@contextmanager
def without_ornaments() -> Iterator[None]:
    """structlog, if first imported in this block, loads what a daemon needs and 5 MiB less; see _ORNAMENTS.

    What is loaded already stays.
    """
    absent = [name for name in _ORNAMENTS if name not in sys.modules]
    # How the import system is told that there is no such module.
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def before_start() -> None:
    """Call before any thread begins."""
    sys.setswitchinterval(_SWITCH_S)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # not in musl
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES)


def after_start() -> None:
    """Call when all is made that stays to the end: going through it in each full collection would hold a tap up."""
    gc.freeze()
