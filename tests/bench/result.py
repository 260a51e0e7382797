"""What a figure comes to, as plain data. Must never hold anything that JSON can't."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bench.context import Context


class Better(StrEnum):
    """Which way a measure is good."""

    LESS = "less"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Measure:
    """Samples of one thing. With fewer than 100 of them `p99` is the worst one."""

    what: str
    unit: str
    median: float
    p99: float
    """The value that 99 of 100 samples are at least as good as."""
    samples: int
    better: Better = Better.LESS


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for, and what it came to."""

    what: str
    unit: str
    limit: float
    got: float
    better: Better = Better.LESS

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.got <= self.limit if self.better is Better.LESS else self.got >= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of ours beside a floor or a peer of the same run."""

    ours: Measure
    beside: Measure
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Median of ours over the one beside it; None where that is nothing."""
        return self.ours.median / self.beside.median if self.beside.median > 0 else None


@dataclass(frozen=True, slots=True)
class Figure:
    """One entry of the registry."""

    name: str
    title: str
    run: "Callable[[Context], Sequence[Row]]"
    """Measures once; the runner decides whether to repeat it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A figure that was run."""

    name: str
    title: str
    rows: tuple[Row, ...]
    took_s: float
    load_1min: float
    """Load average of the machine when the figure ended."""
    others: float
    """Part of the machine's processors that other processes used meanwhile, 0 to 1."""
    attempts: int
    """How often it was run; the least disturbed run is the one that is kept."""
    disturbed: bool
    """Whether even that run was disturbed."""


def measure(what: str, unit: str, values: Sequence[float], better: Better = Better.LESS) -> Measure:
    """Median and p99 of some samples; raises ValueError when there is none."""
    if not values:
        raise ValueError(f"no samples of {what}")
    ordered = sorted(values, reverse=better is Better.MORE)
    p99 = ordered[min(len(ordered), math.ceil(len(ordered) * 0.99)) - 1]
    return Measure(what, unit, statistics.median(ordered), p99, len(ordered), better)


def at_most(what: str, unit: str, limit: float, got: float) -> Target:
    """A target that is met from below."""
    return Target(what, unit, limit, got, Better.LESS)


def at_least(what: str, unit: str, limit: float, got: float) -> Target:
    """A target that is met from above."""
    return Target(what, unit, limit, got, Better.MORE)


def document(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a JSON object, with what follows from its numbers."""
    plain = asdict(outcome)
    for row, rowed in zip(outcome.rows, plain["rows"], strict=True):
        rowed["ratio"] = row.ratio
        for target, targeted in zip(row.targets, rowed["targets"], strict=True):
            targeted["met"] = target.met
    return plain
