"""Cuts the power at any number of points: `run(1_000_000)` takes about an hour of one core."""

from collections.abc import Callable
from functools import partial

from tests.faults.power_cut_journal import JournalSubject, RescueSubject
from tests.faults.power_cut_stores import AllowListSubject, StateSubject
from tests.rigs.power_cuts import Report, Subject, cut_power


def run(points: int, seed: int = 0, progress: Callable[[int, int], None] | None = None) -> Report:
    """Nine of ten points in a journal's life, the others in its rescue and in the two smaller files.

    `progress` is told (points done, points in all). The same seed gives the same cuts.
    """
    twentieth = points // 20
    shares: list[tuple[Subject, int]] = [
        (RescueSubject(), twentieth),
        (StateSubject(), twentieth // 2),
        (AllowListSubject(), twentieth // 2),
    ]
    shares.insert(0, (JournalSubject(), points - sum(share for _, share in shares)))
    report = Report()
    for subject, share in shares:
        told = None if progress is None else partial(_tell, progress, report.points, points)
        report.add(cut_power(subject, share, seed, told))
    return report


def _tell(progress: Callable[[int, int], None], before: int, points: int, done: int) -> None:
    progress(before + done, points)
