"""Outcomes as JSON, as a table for a terminal, and as the generated block of docs/benchmarks.md."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.bench.result import Better, Measure, Outcome, Row, Target, document

Run = Mapping[str, Any]
"""What the run was: `machine`, `at`, `quick`, `load_before`."""


def run_of(machine: Mapping[str, Any], *, quick: bool, load_before: float) -> dict[str, Any]:
    """What there is to say of a whole run."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"at": at, "quick": quick, "load_before": load_before, "machine": dict(machine)}


def as_json(run: Run, outcomes: Sequence[Outcome]) -> str:
    """The whole run."""
    return json.dumps({"v": 1, **run, "figures": [document(each) for each in outcomes]}, indent=2) + "\n"


def as_text(run: Run, outcomes: Sequence[Outcome]) -> str:
    """For a terminal."""
    lines = [*about(run), ""]
    for outcome in outcomes:
        lines.append(f"{outcome.title}  ({_conditions(outcome)})")
        for row in outcome.rows:
            for measured in (row.ours, row.beside):
                numbers = f"{_number(measured.median):>10} {_number(measured.p99):>10} {measured.unit:<12}"
                lines.append(f"  {measured.what:<66} {numbers} n={measured.samples}")
            lines += [f"    {compared(row)}", *(f"    {_verdict(target)}" for target in row.targets)]
            lines += [f"    {note}" for note in row.notes]
        lines.append("")
    return "\n".join([*lines, summary(outcomes)])


def as_markdown(run: Run, outcomes: Sequence[Outcome]) -> str:
    """The generated block."""
    head = [
        "| figure | median | p99 | samples | beside it | median | p99 | ours against it |",
        "|---|--:|--:|--:|---|--:|--:|---|",
    ]
    rows = [_cells(row) for outcome in outcomes for row in outcome.rows]
    targets = ["| target | asked for | got | |", "|---|--:|--:|---|"]
    targets += [
        f"| {row.ours.what}: {target.what} | {_bound(target)} | {_got(target)} | {_word(target, outcome)} |"
        for outcome in outcomes
        for row in outcome.rows
        for target in row.targets
    ]
    notes = [f"- {row.ours.what}: {note}" for each in outcomes for row in each.rows for note in row.notes]
    conditions = [f"- {outcome.title}: {_conditions(outcome)}" for outcome in outcomes]
    parts = [[f"- {line}" for line in about(run)], [*head, *rows], targets, ["Of the figures:", *notes]]
    parts += [["Of the conditions:", *conditions], [summary(outcomes)]]
    return "\n\n".join("\n".join(part) for part in parts)


def compared(row: Row) -> str:
    """Ours against what stands beside it, whichever way it went."""
    ratio = row.ratio
    if ratio is None or ratio <= 0:
        return "no ratio: one of them is nothing"
    if 0.995 < ratio < 1.005:
        return "the same"
    more, less = ("faster", "slower") if row.ours.unit.endswith("/s") else ("more", "less")
    if row.ours.unit in ("ms", "s"):
        more, less = "slower", "faster"
    return f"{ratio:.2f} x, {more}" if ratio > 1 else f"{ratio:.2f} x, {less}"


def summary(outcomes: Iterable[Outcome]) -> str:
    """How many targets were met, and which were not."""
    targets = [(row.ours.what, target) for outcome in outcomes for row in outcome.rows for target in row.targets]
    missed = [f"{what} ({target.what})" for what, target in targets if not target.met]
    text = f"{len(targets) - len(missed)} of {len(targets)} targets met"
    return f"{text}; missed: {'; '.join(missed)}." if missed else f"{text}."


def about(run: Run) -> Iterator[str]:
    """Machine, versions and conditions, a line each."""
    machine = run["machine"]
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB, {machine['architecture']},"
        f" Linux {machine['kernel']}, {machine['file_system']}"
    )
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    yield f"Python {machine['python']}, SQLite {machine['sqlite']}, {libraries}"
    size = "a short run: its numbers are no measure" if run["quick"] else "a full run"
    yield f"{run['at']}, {size}; load average before it {run['load_before']}"


def _conditions(outcome: Outcome) -> str:
    runs = "run once" if outcome.attempts == 1 else f"least disturbed of {outcome.attempts} runs"
    others = f"other processes used {outcome.others:.0%} of the processors, load average {outcome.load_1min}"
    return f"{runs}; {others}{'; disturbed' if outcome.disturbed else ''}"


def _cells(row: Row) -> str:
    ours, beside = row.ours, row.beside
    return (
        f"| {ours.what} | {_quantity(ours, ours.median)} | {_quantity(ours, ours.p99)} | {ours.samples} "
        f"| {beside.what} | {_quantity(beside, beside.median)} | {_quantity(beside, beside.p99)} | {compared(row)} |"
    )


def _quantity(measured: Measure, value: float) -> str:
    return f"{_number(value)} {measured.unit}"


def _number(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 1:
        return f"{value:.2f}"
    return f"{value:.3g}"


def _bound(target: Target) -> str:
    return f"{'≤' if target.better is Better.LESS else '≥'} {_number(target.limit)} {target.unit}"


def _got(target: Target) -> str:
    return f"{_number(target.got)} {target.unit}"


def _word(target: Target, outcome: Outcome) -> str:
    if target.met:
        return "met"
    return "**missed** (disturbed)" if outcome.disturbed else "**missed**"


def _verdict(target: Target) -> str:
    return f"target {target.what} {_bound(target)}: {_got(target)}, {'met' if target.met else 'MISSED'}"
