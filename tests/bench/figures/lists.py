"""Taking a list: the first one, and a change of 1,000 cards. From the signed bytes to the commit, without a network."""

import json
from collections.abc import Sequence
from statistics import median
from typing import Any

from tests.bench.context import Context
from tests.bench.result import Figure, Row, at_most, measure

FIRST_S = 10.0
DELTA_MS = 100.0
CHANGES = 1000


def run(context: Context) -> Sequence[Row]:
    """Ours and the raw rows in turns, each in a process of its own."""
    snapshot = context.snapshot()
    deltas = context.rounds(20, 3)
    ours: list[dict[str, Any]] = []
    raw: list[dict[str, Any]] = []
    for _ in range(context.rounds(3, 1)):
        for how, found in (("agent", ours), ("raw", raw)):
            place = context.folder() / "state"
            arguments = [str(snapshot), str(place), str(deltas), str(CHANGES), str(context.cards), how]
            found.append(json.loads(context.child("tests.bench.apply", *arguments)))
    first = measure(f"first list of {context.cards:,} cards and persons", "s", _first_s(ours))
    delta = measure(f"delta of {CHANGES:,} cards", "ms", _deltas_ms(ours))
    return [
        Row(
            first,
            measure("JSON parsed, raw rows inserted", "s", _first_s(raw)),
            (at_most("median", "s", FIRST_S, first.median),),
            (
                f"processor time alone: {median(_first_s(ours, 1)):.2f} s; raw: {median(_first_s(raw, 1)):.2f} s",
                f"peak of resident memory: {_peak_mib(ours):.0f} MiB; raw: {_peak_mib(raw):.0f} MiB",
            ),
        ),
        Row(
            delta,
            measure("JSON parsed, raw rows changed", "ms", _deltas_ms(raw)),
            (at_most("p99", "ms", DELTA_MS, delta.p99),),
            (f"processor time alone: {median(_deltas_ms(ours, 1)):.1f} ms; raw: {median(_deltas_ms(raw, 1)):.1f} ms",),
        ),
    ]


def _first_s(runs: Sequence[dict[str, Any]], of: int = 0) -> list[float]:
    return [run["first"][of] for run in runs]


def _deltas_ms(runs: Sequence[dict[str, Any]], of: int = 0) -> list[float]:
    return [1000 * taken[of] for run in runs for taken in run["deltas"]]


def _peak_mib(runs: Sequence[dict[str, Any]]) -> float:
    return max(float(run["peak_mib"]) for run in runs)


FIGURE = Figure("lists", "Taking a list", run)
