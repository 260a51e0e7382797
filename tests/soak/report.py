"""What soak runs came to: kept in a JSON file part by part, shown as text, and as the block of docs/reliability.md.

The file remembers each part's last run of the promised length, so that parts may be run on different days; a shorter
run never takes its place.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.report import about
from tests.faults.storm import MET
from tests.rigs.long_run import LongRun
from tests.soak.parts import Part

Document = Mapping[str, Any]
"""A part that was run: what it was, when and where, and its LongRun."""


def document(part: Part, amount: float, found: LongRun, run: Mapping[str, Any]) -> Document:
    """All of it as plain data; `run` is bench's word on time and machine."""
    full = amount >= part.least
    option = f"--{part.name} {amount_text(amount)} --seed {found.seed}"
    what = {"name": part.name, "title": part.title, "asked": amount, "unit": part.unit, "option": option}
    return {**what, **run, "quick": not full, **asdict(found)}


def kept(path: Path, fresh: Sequence[Document]) -> list[Document]:
    """What the file is to hold: the fresh ones, but for short ones where it holds one of full length."""
    held = json.loads(path.read_text(encoding="utf-8"))["parts"] if path.exists() else []
    parts: dict[str, Document] = {each["name"]: each for each in held}
    for each in fresh:
        known = parts.get(each["name"])
        if known is None or known["quick"] or not each["quick"]:
            parts[each["name"]] = each
    return list(parts.values())


def as_json(documents: Sequence[Document]) -> str:
    """The file."""
    return json.dumps({"v": 1, "parts": documents}, indent=2) + "\n"


def as_text(documents: Sequence[Document]) -> str:
    """For a terminal."""
    return "\n\n".join("\n".join(_text(each)) for each in documents)


def as_markdown(documents: Sequence[Document], parts: Mapping[str, Part]) -> str:
    """The generated block: a table of the parts, then each part's figures; only runs of full length count."""
    full = {each["name"]: each for each in documents if not each["quick"] and each["name"] in parts}
    rows = ["| run | asked for | took | promises not kept | repeat it with |", "|---|--:|--:|--:|---|"]
    rows += [_row(part, full.get(name)) for name, part in parts.items()]
    blocks = [rows]
    for each in (full[name] for name in parts if name in full):
        lines = ["| figure | |", "|---|--:|", *(f"| {name} | {value} |" for name, value in _figures(each))]
        blocks += [[f"{each['title']}:"], lines, [f"- {line}" for line in about(each)]]
        if each["problems"]:
            blocks.append([f"- not kept: {_cell(problem)}" for problem in each["problems"]])
    return "\n\n".join("\n".join(block) for block in blocks)


def amount_text(amount: float) -> str:
    """An amount as it is given on the command line."""
    return str(int(amount)) if amount == int(amount) else f"{amount:g}"


def _row(part: Part, found: Document | None) -> str:
    if found is None:
        return f"| {part.title} | {amount_text(part.least)} {part.unit} | | not run yet | `make soak` |"
    broken = f"**{len(found['problems'])}**" if found["problems"] else "none"
    asked = f"{amount_text(found['asked'])} {part.unit}"
    return f'| {part.title} | {asked} | {_time(found["took_s"])} | {broken} | `make soak SOAK="{found["option"]}"` |'


def _text(found: Document) -> Iterator[str]:
    asked = f"{amount_text(found['asked'])} {found['unit']}"
    yield f"{found['title']}: {asked} in {_time(found['took_s'])}, seed {found['seed']}"
    for name, value in _figures(found):
        yield f"  {name:<66} {value:>16}"
    if not found["problems"]:
        yield "  every promise was kept"
        return
    for problem in found["problems"]:
        yield f"  NOT KEPT: {problem}"
    yield f"  repeat it with: python -m tests.soak {found['option']}"


def _figures(found: Document) -> Iterator[tuple[str, str]]:
    """All figures; the faults of the stream, one by one in the JSON, are one line here."""
    met = {name: value for name, value in found["figures"].items() if name.startswith(MET)}
    for name, value in found["figures"].items():
        if name not in met:
            yield name, f"{value:,}"
    if met:
        yield "faults of the stream met", f"{sum(met.values()):,} of {len(met)} kinds"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def _time(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
