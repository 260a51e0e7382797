"""Parts for tests of the soak harness. In a module of their own, because a process of its own imports them."""

import os
from pathlib import Path

from tests.rigs.long_run import LongRun, Progress


def good(amount: float, seed: int, progress: Progress, home: Path) -> LongRun:
    """Keeps its promises, and leaves something in its folder."""
    (home / "left").write_text("here")
    progress(1, int(amount))
    return LongRun(seed, 1.0, {"things": 1234, "met: this": 2, "met: that": 3}, ())


def broken(amount: float, seed: int, progress: Progress, home: Path) -> LongRun:
    """Does not keep one."""
    return LongRun(seed, 1.0, {"things": 1}, ("event 7 is | missing",))


def failing(amount: float, seed: int, progress: Progress, home: Path) -> LongRun:
    """Ends with an error."""
    raise RuntimeError("no pcscd")


def dying(amount: float, seed: int, progress: Progress, home: Path) -> LongRun:
    """Takes its process with it."""
    os._exit(3)
