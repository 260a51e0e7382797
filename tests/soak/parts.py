"""All parts of the soak run, in the order in which they run. A new part is a module of its own and an entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults import kills
from tests.rigs.long_run import LongRun, Progress
from tests.soak import crash_points, taps


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is run for long. `run` gets how much of it, the seed, whom to tell, and an empty folder."""

    name: str
    """Also its option on the command line."""
    title: str
    unit: str
    least: float
    """How much of it the project promises, and the default."""
    run: Callable[[float, int, Progress, Path], LongRun]


def _kills(rounds: float, seed: int, progress: Progress, home: Path) -> LongRun:
    return kills.run(int(rounds), seed, progress, home)


PARTS: Final[Mapping[str, Part]] = {
    part.name: part
    for part in (
        Part("kills", "SIGKILL of the daemon under taps, stream misbehaving", "rounds", 2000, _kills),
        Part("crash-points", "Power cuts of the storage", "crash points", 1_000_000, crash_points.run),
        Part("tap-hours", "Taps through real reader stacks, stream misbehaving", "h", 1.0, taps.run),
    )
}
