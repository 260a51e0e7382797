"""Runs figures, and repeats those that other processes disturbed. Must never choose by how good a result is."""

import time
from collections.abc import Iterable, Iterator

from tests.bench.context import Context
from tests.bench.machine import Usage, load_1min
from tests.bench.result import Figure, Outcome

QUIET = 0.1
"""Others may use this part of the processors before a figure counts as disturbed."""
LONG_S = 120.0
"""What takes longer is not repeated: it is disturbed then, and says so."""


def run(
    figures: Iterable[Figure], context: Context, attempts: int, *, quiet: float = QUIET, long_s: float = LONG_S
) -> Iterator[Outcome]:
    """Each figure's least disturbed run of up to `attempts`; the first quiet one ends it, or one that took long."""
    for figure in figures:
        best: Outcome | None = None
        for attempt in range(1, attempts + 1):
            context.say(f"{figure.name}: run {attempt} of at most {attempts}")
            outcome = _once(figure, context, attempt, quiet)
            context.say(
                f"{figure.name}: {outcome.took_s:.0f} s; others used {outcome.others:.0%}, load {outcome.load_1min}"
            )
            if best is None or outcome.others < best.others:
                best = outcome
            if not outcome.disturbed or outcome.took_s > long_s:
                break
        if best is not None:
            yield Outcome(
                best.name, best.title, best.rows, best.took_s, best.load_1min, best.others, attempt, best.disturbed
            )


def _once(figure: Figure, context: Context, attempt: int, quiet: float) -> Outcome:
    context.prepare()
    before, start_s = Usage.now(), time.monotonic()
    rows = tuple(figure.run(context))
    others = Usage.now().others_since(before)
    took_s = round(time.monotonic() - start_s, 1)
    return Outcome(figure.name, figure.title, rows, took_s, load_1min(), round(others, 3), attempt, others > quiet)
