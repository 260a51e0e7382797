"""Power cuts at any operation of the real storage code, and what it finds afterwards.

A workload runs once while every operation on its files is recorded. Then the recording is cut again and again: between
two operations, inside a write, inside a sync. Each time the code opens what a disk may have left, with Python's own
SQLite, and must find one of the states that the workload allows there: nothing older than the last one that was
promised durable, nothing that was never written, and no mixture. Then it must go on from there.

The same seed gives the same cuts.
"""

import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Protocol

from tests.rigs.power_cut_disk import Image, Operation, Sync, SyncFolder, Write, disk_of, read_image, write_image
from tests.rigs.power_cut_record import Recorder

_POINTS_PER_LIFE: Final = 250
_LIVES: Final = 3
"""A device that lost its power loses it again, in the midst of finding its feet."""
_MOST_TOLD: Final = 20
_MEMORY: Final = Path("/dev/shm")
State = Hashable


class Lost(Exception):  # noqa: N818 - named for what happened
    """What was promised durable is not there."""


class Damaged(Exception):  # noqa: N818 - named for what happened
    """What is there is not whole, or no state that ever was."""


@dataclass(slots=True)
class History:
    """What the code under test was asked to do, and what it promised, along the recording."""

    operations: list[Operation]
    states: list[State] = field(default_factory=list)
    _begun: list[int] = field(default_factory=list)
    _promised: list[tuple[int, int]] = field(default_factory=list)

    def begin(self, state: State) -> None:
        """The state from before the first operation on: what was there, or what a first start makes of nothing."""
        self.states.append(state)
        self._begun.append(0)

    @contextmanager
    def change(self, state: Callable[[], State], *, durable: bool = True) -> Iterator[None]:
        """A change that may be on the disk from here on, and must be when the block has ended and it is `durable`."""
        begun = len(self.operations)
        yield
        self.states.append(state())
        self._begun.append(begun)
        if durable:
            self._promised.append((len(self.operations), len(self.states) - 1))

    def allowed(self, done: int) -> list[State]:
        """The states that a cut after so many operations, or in the next one, may leave; the latest first."""
        newest = bisect_right(self._begun, done)
        oldest = max((state for at, state in self._promised if at <= done), default=0)
        return self.states[oldest:newest][::-1]


class Subject(Protocol):
    """A part of the storage, and how it is used and judged."""

    def prepare(self, folder: Path, chance: Random) -> None:
        """Put there, unrecorded, what a device begins with."""

    def live(self, folder: Path, chance: Random, history: History) -> None:
        """Use what is in the folder, or begin; the first thing to tell `history` is the state that is there."""

    def reopen(self, folder: Path, allowed: list[State], chance: Random) -> None:
        """Open it as after a power cut and go on. Raises Lost, Damaged; anything else says that it did not open."""


@dataclass(slots=True)
class Report:
    """What the cuts did."""

    points: int = 0
    in_write: int = 0
    in_sync: int = 0
    lost: int = 0
    """Points after which something was missing that had been promised."""
    damaged: int = 0
    """Points after which something was there that had never been, or was not whole."""
    unopenable: int = 0
    told: list[str] = field(default_factory=list)
    """The first failures, each with what repeats it."""

    @property
    def failures(self) -> int:
        """All that went wrong."""
        return self.lost + self.damaged + self.unopenable

    def add(self, other: "Report") -> None:
        """Sum both."""
        self.points += other.points
        self.in_write += other.in_write
        self.in_sync += other.in_sync
        self.lost += other.lost
        self.damaged += other.damaged
        self.unopenable += other.unopenable
        self.told = (self.told + other.told)[:_MOST_TOLD]


def cut_power(
    subject: Subject,
    points: int,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    synchronous: str = "FULL",
) -> Report:
    """Cut so many times; `progress` is told the points done after every life.

    `synchronous` is what a connection gets that asks for FULL: the cuts must catch a weaker one.
    """
    report, device = Report(), 0
    with tempfile.TemporaryDirectory(prefix="cardea-cut-", dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        while report.points < points:
            with _folder(Path(name), {}) as folder:
                subject.prepare(folder, Random(f"{seed}/{device}"))
                image = read_image(folder)
            for life in range(_LIVES):
                most = min(_POINTS_PER_LIFE, points - report.points)
                label = f"{seed}/{device}/{life}"
                image = _live_and_cut(subject, Path(name), image, most, synchronous, report, label)
                if progress is not None:
                    progress(report.points)
                if report.points == points:
                    break
            device += 1
    return report


def _live_and_cut(
    subject: Subject, place: Path, image: Image, points: int, synchronous: str, report: Report, label: str
) -> Image:
    """One life of a device and its cuts; returns what one of them left, for the next life."""
    chance = Random(label)
    disk, names = disk_of(image)
    with _folder(place, image) as folder:
        recorder = Recorder(folder, names, synchronous)
        history = History(recorder.operations)
        with recorder.running():
            subject.live(folder, chance, history)
    heir: Image = {}
    operations, done = recorder.operations, 0
    cuts = sorted(chance.randint(0, len(operations)) for _ in range(points))
    chosen = chance.randrange(points)
    for number, at in enumerate(cuts):
        for operation in operations[done:at]:
            disk.do(operation)
        done = at
        during = operations[at] if at < len(operations) and chance.random() < 0.7 else None
        left = disk.cut(chance, during)
        if number == chosen:
            heir = left
        report.points += 1
        report.in_write += isinstance(during, Write)
        report.in_sync += isinstance(during, Sync | SyncFolder)
        with _folder(place, left) as folder:
            where = f"{label} cut {number} at {at} during {during!r:.80}"
            _judge(subject, folder, history.allowed(at), chance, report, where)
    return heir


def _judge(subject: Subject, folder: Path, allowed: list[State], chance: Random, report: Report, label: str) -> None:
    try:
        subject.reopen(folder, allowed, chance)
    except Lost as failure:
        report.lost += 1
        told = f"lost: {failure}"
    except Damaged as failure:
        report.damaged += 1
        told = f"damaged: {failure}"
    except Exception as failure:  # noqa: BLE001 - whatever keeps it from opening is what is looked for
        report.unopenable += 1
        told = f"unopenable: {type(failure).__name__}: {failure}"
    else:
        return
    if len(report.told) < _MOST_TOLD:
        report.told.append(f"{told} ({label})")


@contextmanager
def _folder(place: Path, image: Image) -> Iterator[Path]:
    folder = place / "state"
    folder.mkdir()
    try:
        write_image(image, folder)
        yield folder
    finally:
        shutil.rmtree(folder)
