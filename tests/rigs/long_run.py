"""What a run that may take an hour reports while it goes on, and what it comes to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Progress = Callable[[int, int], None]
"""Told (done, of how many) now and then."""


@dataclass(frozen=True, slots=True)
class LongRun:
    """The outcome of a run."""

    seed: int
    """Repeats the run: the same choices, if not the same schedule."""
    took_s: float
    figures: Mapping[str, int | float]
    """What was done and met, in words that a reader of the table understands; whole numbers or measures."""
    problems: tuple[str, ...]
    """Promises that were not kept, in words; empty when all were."""
