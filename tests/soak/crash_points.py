"""Power cuts at any number of points, as a part of the soak run."""

import time
from pathlib import Path

from tests.faults.power_cut import run as cut
from tests.rigs.long_run import LongRun, Progress


def run(points: float, seed: int, progress: Progress, _home: Path) -> LongRun:
    """So many crash points; they lie in memory."""
    began_s = time.monotonic()
    report = cut(int(points), seed, progress)
    figures = {
        "crash points": report.points,
        "of these inside a write": report.in_write,
        "of these inside a sync": report.in_sync,
        "something promised was lost": report.lost,
        "something was there that never was": report.damaged,
        "did not open": report.unopenable,
    }
    problems = [f"{report.failures} crash points cost something", *report.told] if report.failures else []
    return LongRun(seed, round(time.monotonic() - began_s, 1), figures, tuple(problems))
