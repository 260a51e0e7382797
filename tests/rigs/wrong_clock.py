"""A daemon's system clock that is wrong: libfaketime's from the start, or one that a test sets while it runs.

Both leave the monotonic and the boot clock alone and say what the kernel says of its synchronisation, so that a test
does not depend on the machine that it runs on.
"""

import mmap
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.rigs.gpio_libs import shared_object

_SHIM = Path(__file__).with_name("clock.c")
_SHARED = struct.Struct("<qq")
DAY_S = 86_400.0


def faketime(what: str) -> Mapping[str, str]:
    """The environment of a program whose clock is off by `what`, such as `+2d` or `@1970-01-01 00:00:00`."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.fail("libfaketime is missing: apt-get install faketime")
    return {
        "LD_PRELOAD": f"{shared_object(_SHIM)}:{found[0]}",
        "FAKETIME": what,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }


def sweep() -> None:
    """Remove what libfaketime leaves in shared memory when its program is killed."""
    for left in Path("/dev/shm").glob("*faketime_*"):
        if not Path("/proc", left.name.rpartition("_")[2]).exists():
            left.unlink(missing_ok=True)


class SettableClock:
    """The system clock of one program; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clock"
        self._path.write_bytes(bytes(_SHARED.size))
        with self._path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SHARED.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()

    @property
    def environment(self) -> Mapping[str, str]:
        """What the program needs."""
        return {"LD_PRELOAD": str(shared_object(_SHIM)), "CLOCK_FILE": str(self._path)}

    def set(self, off_s: float, *, synchronised: bool = False) -> None:
        """Set it this far off the truth, as `date` would; and what the kernel says of it then."""
        _SHARED.pack_into(self._memory, 0, round(off_s * 1e9), int(synchronised))

    def set_to(self, wall_s: float, *, synchronised: bool = False) -> None:
        """Set it to an instant."""
        self.set(wall_s - time.time(), synchronised=synchronised)
