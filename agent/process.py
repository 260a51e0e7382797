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


@contextmanager
def without_rich() -> Iterator[None]:
    """structlog, if first imported in this block, loads no rich: its coloured tracebacks are for a terminal, and cost
    a daemon 4 MiB. Does nothing when rich is loaded already."""
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # how the import system is told that there is none
    try:
        yield
    finally:
        del sys.modules["rich"]


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
