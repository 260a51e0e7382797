"""Draws the diagram and the table of docs/door-states.md from the door's own table.

`python -m tests.rigs.door_diagram` rewrites the marked blocks of the page; a test keeps them current.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.core.door_state import DoorStateName as S
from agent.core.door_table import AFTER_FIRE, AT_START, IGNORED, REST, ROWS, SHUT, Row, Target, When

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "door-states.md"
_CHOICES: Final[dict[Target, str]] = {SHUT: "shut", REST: "rest", AFTER_FIRE: "after_fire", AT_START: "at_start"}
"""Targets that several rows share; each is one diamond of the diagram, and leads on to the next smaller one."""


_LEAF_SHUT: Final = frozenset({S.LOCKED, S.UNLOCKED})
_LEAF_OPEN: Final = frozenset({S.OPEN, S.WARNED, S.HELD, S.FORCED})
_GROUPS: Final = {"guarded": _LEAF_SHUT | _LEAF_OPEN, "leaf_shut": _LEAF_SHUT, "leaf_open": _LEAF_OPEN}
"""Boxes of the diagram, the larger first: what all states of a box do alike is one arrow."""


def diagram() -> str:
    """A Mermaid state diagram of every row that can change the state."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    state {name} <<choice>>" for name in _CHOICES.values()]
    lines += ["    state guarded {"]
    for box in ("leaf_shut", "leaf_open"):
        lines += [
            f"        state {box} {{",
            *(f"            {state}" for state in S if state in _GROUPS[box]),
            "        }",
        ]
    lines += ["    }", f"    [*] --> {_CHOICES[AT_START]}: start"]
    lines += [f"    {source} --> {target}: {label}" for source, target, label in (*_choice_edges(), *_row_edges())]
    return "\n".join((*lines, "```"))


def _choice_edges() -> Iterator[tuple[str, str, str]]:
    names = list(_CHOICES.items())
    for place, (target, name) in enumerate(names):
        smaller = [(rest, other) for rest, other in names[:place] if target[-len(rest) :] == rest]
        rest, onward = smaller[-1] if smaller else ((), "")
        for when, state in target[: len(target) - len(rest)]:
            yield name, state.value, when.value
        if onward:
            yield name, onward, When.ELSE.value


def _row_edges() -> Iterator[tuple[str, str, str]]:
    sources: dict[tuple[str, str], set[S]] = {}
    for row in ROWS:
        for state in row.states:
            end = _end(row.to)
            if end not in ("", state.value):
                sources.setdefault((row.trigger.value, end), set()).add(state)
    labels: dict[tuple[str, str], list[str]] = {}
    for (trigger, end), states in sources.items():
        for source in _grouped(states):
            labels.setdefault((source, end), []).append(trigger)
    for (source, end), triggers in labels.items():
        yield source, end, "<br>".join(triggers)


def _grouped(states: set[S]) -> Iterator[str]:
    """The boxes that are wholly among these states, and the states that are left over."""
    left = set(states)
    for name, members in _GROUPS.items():
        if members <= left:
            yield name
            left -= members
    yield from sorted(left)


def _end(to: Target) -> str:
    """The node that a target leads to; empty when the state stays."""
    if not to:
        return ""
    return _CHOICES[to] if to in _CHOICES else to[-1][1].value


def table() -> str:
    """Every row and every pair that is ignored, as Markdown."""
    lines = ["| on | in | does, in this order | then |", "|---|---|---|---|"]
    lines += [f"| {row.trigger} | {_states(row.states)} | {'; '.join(row.acts)} | {_then(row)} |" for row in ROWS]
    lines += ["", "Ignored, because:", "", "| on | in | because |", "|---|---|---|"]
    lines += [f"| {entry.trigger} | {_states(entry.states)} | {entry.why} |" for entry in IGNORED]
    return "\n".join(lines)


def _states(states: tuple[S, ...]) -> str:
    return "every state" if len(states) == len(S) else ", ".join(states)


def _then(row: Row) -> str:
    if not row.to:
        return "stays"
    if len(row.to) == 1:
        return f"**{row.to[0][1]}**"
    return ", ".join(f"else **{state}**" if when is When.ELSE else f"**{state}** if {when}" for when, state in row.to)


def render(page: str) -> str:
    """The page with its marked blocks drawn anew; raises ValueError when a mark is missing."""
    for name, text in (("diagram", diagram()), ("table", table())):
        begin, end = re.search(rf"<!-- {name}:begin.*?-->\n", page), page.find(f"<!-- {name}:end -->")
        if begin is None or end < begin.end():
            raise ValueError(f"no block {name!r}")
        page = f"{page[: begin.end()]}{text}\n{page[end:]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
