"""`cardea doctor`: the self-test of a controller."""

import logging
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Final

import click
import structlog
from rich.console import Console
from rich.text import Text

from agent.cli.common import Exit, console, json_option, print_json, reports_errors
from agent.doctor.examination import Report, examine
from agent.doctor.finding import Finding, Verdict
from agent.places import DEFAULT_CONFIG

_COLOURS: Final = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
_VERDICT: Final = max(len(verdict.value) for verdict in Verdict)
_NAMED: Final = 4
"""Areas that are named while they are waited for."""
_LEAST: Final = 30
"""Columns for text, on a terminal however narrow."""


@click.command("doctor")
@click.option("--config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@json_option
@reports_errors
def doctor(config: Path, as_json: bool) -> None:
    """Look a controller over: configuration, keys, clock, disk, journal, GPIO, readers, daemon, cloud, service, power.

    Each line passes, warns or fails, with what to do. Moves no lock, takes no reader and leaves a running daemon alone;
    best run as root, who may look at everything. Exits with 0 when nothing fails, 1 when something does, 2 when the
    configuration can't be used.

    \b
    Example:
      cardea doctor --config /etc/cardea/cardea.toml
      cardea doctor --json | jq '.findings[] | select(.verdict != "pass")'
    """
    # The report is all that there is to say: what the parts that look would log is not for this screen.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report = _examine(config, shown=sys.stderr.isatty() and not as_json)
    if as_json:
        print_json(report.to_json())
    else:
        _show(report, console())
    sys.stdout.flush()
    if report.device is None:
        sys.exit(Exit.USAGE)
    sys.exit(Exit.FAILED if report.verdict is Verdict.FAIL else Exit.DONE)


def _examine(config: Path, *, shown: bool) -> Report:
    if not shown:
        return examine(config, lambda _: None)
    with Console(stderr=True).status("looking") as status:
        return examine(config, lambda areas: status.update(_waiting_for(list(dict.fromkeys(areas)))))


def _waiting_for(areas: Sequence[str]) -> str:
    """On one line of a terminal."""
    more = f" and {len(areas) - _NAMED} more" if len(areas) > _NAMED else ""
    return f"looking at {', '.join(areas[:_NAMED])}{more}"


def _show(report: Report, out: Console) -> None:
    """By area; wrapped at the terminal's width, elsewhere a line each."""
    width = out.width if out.is_terminal else None
    names = max(len(finding.name) for finding in report.findings)
    for area, findings in groupby(report.findings, key=lambda finding: finding.area):
        out.print(Text(area.value, style="bold"))
        below = [*findings]
        for finding, after in zip_longest(below, below[1:]):
            # One remedy below several lines that share it.
            shared = after is not None and after.remedy == finding.remedy
            for line in _lines(finding, names, width, with_remedy=not shared):
                out.print(line, soft_wrap=True)
    out.print(_last_line(report), soft_wrap=True)


def _lines(finding: Finding, names: int, width: int | None, *, with_remedy: bool) -> Iterator[Text]:
    indent = " " * (2 + _VERDICT + 2 + names + 2)
    what = f"{finding.what} (says the daemon)" if finding.by_daemon else finding.what
    first, *rest = _wrapped(what, indent, width)
    yield Text.assemble(
        "  ", (f"{finding.verdict.value:<{_VERDICT}}", _COLOURS[finding.verdict]), f"  {finding.name:<{names}}  {first}"
    )
    yield from (Text(indent + line) for line in rest)
    if with_remedy and finding.remedy is not None:
        yield from (Text(indent + line, style="italic") for line in _wrapped(f"-> {finding.remedy}", indent, width))


def _wrapped(text: str, indent: str, width: int | None) -> Sequence[str]:
    # Words stay whole, so that a path or a command can be copied.
    room = None if width is None else max(_LEAST, width - len(indent))
    return [text] if room is None else textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def _last_line(report: Report) -> Text:
    count = report.to_json()["count"]
    text = ", ".join(f"{count[verdict.value]} {verdict.value}" for verdict in Verdict)
    name = report.device or str(report.file)
    return Text(f"{name}: {text}", style=f"bold {_COLOURS[report.verdict]}")
