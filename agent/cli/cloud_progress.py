"""Shows how stacks come along: a table that keeps itself up to date on a terminal, lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from cloud.deploy.following import STACK, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_COLOURS: Final = (("FAILED", "red"), ("ROLLBACK", "red"), ("IN_PROGRESS", "yellow"), ("", "green"))
_REFRESH_PER_S: Final = 4
_AT_WORK: Final = 3
"""Resources that are named at a time; CloudFormation works on a dozen."""


@dataclass(slots=True)
class _Row:
    state: str = "WAITING"
    at_work: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)


class StackTable:
    """What is known of each stack: a row for each, in the order in which they began."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def take(self, progress: Progress) -> None:
        """Note a change of state."""
        row = self._rows.setdefault(progress.stack, _Row())
        if progress.resource == progress.stack:
            row.state = progress.status
        elif progress.status.endswith("_IN_PROGRESS"):
            row.at_work.add(progress.resource)
        else:
            row.at_work.discard(progress.resource)
            if progress.status.endswith("_FAILED"):
                row.failed[progress.resource] = progress.reason or progress.status
            else:
                row.done.add(progress.resource)

    def __rich__(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table("stack", "state", "done", "at work on")
        for name, row in self._rows.items():
            colour = next(colour for part, colour in _COLOURS if part in row.state)
            names = sorted(row.at_work)
            more = f" and {len(names) - _AT_WORK} more" if len(names) > _AT_WORK else ""
            work = Text(", ".join(names[:_AT_WORK]) + more)
            for resource, reason in row.failed.items():
                work.append(f"\n{resource}: {reason}", "red")
            table.add_row(Text(name), Text(_words(row.state), colour), str(len(row.done)), work)
        return table


def line(progress: Progress) -> str | None:
    """What a log shows: the states of whole stacks, and whatever failed; None for the rest."""
    if progress.status.endswith("_FAILED"):
        return (
            f"{progress.stack}: {progress.resource}: {_words(progress.status)}: {progress.reason or 'no reason given'}"
        )
    if progress.kind == STACK and progress.resource == progress.stack:
        return f"{progress.stack}: {_words(progress.status)}"
    return None


@contextmanager
def shown(console: "Console", *, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """While it lasts, what is reported is shown; with `quiet`, nothing is."""
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        from rich.live import Live

        table = StackTable()
        with Live(table, console=console, refresh_per_second=_REFRESH_PER_S):
            yield table.take
    else:
        yield _print_line


def _print_line(progress: Progress) -> None:
    text = line(progress)
    if text is not None:
        click.echo(text, err=True)


def _words(state: str) -> str:
    return state.replace("_", " ").lower()
