"""People from and to files, for `cardea people import` and `export`: what is checked, shown and summed up."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import click

from agent.cli.common import Exit, print_json
from agent.cli.office import Desk
from agent.errors import StorageError
from agent.office.errors import BadInput, Rejected, Unfinished

if TYPE_CHECKING:
    from agent.office.importing import Imported
    from agent.office.peoplefile import Fault, PeopleFile


class Bar(Protocol):
    """Shows how far something is."""

    def __call__(self, behind: int) -> None:
        """So many are behind us."""


def import_file(desk: Desk, file: Path, *, skip_bad: bool, dry_run: bool) -> None:
    """Check a file, send what is right of it, and tell of every line that is not; exits with 2 when none is sent."""
    from agent.office.importing import import_people

    name = "stdin" if str(file) == "-" else file.name
    read = _read(file, name)
    for fault in read.faults:
        click.echo(fault.words(name), err=True)
    if dry_run or not read.rows or (read.faults and not skip_bad):
        _end_unsent(desk, read, dry_run=dry_run, skip_bad=skip_bad)
        return
    try:
        with _progress(len(read.rows), desk) as bar:
            done = import_people(desk.api, read.rows, desk.patience, all_or_nothing=not skip_bad, on_progress=bar)
    except (Rejected, Unfinished) as error:
        _show_problems(error.request.get("problems") or [], name)
        raise
    _show_problems(done.problems, name)
    _sum_up(desk, read, done)


def export_people(desk: Desk, file: TextIO, prefix: str | None) -> None:
    """Write everybody to an open file: with their card, and the groups that they belong to without an end."""
    from agent.office.gathering import gathered
    from agent.office.peoplefile import write_people

    names = [str(entry["person"]) for entry in desk.api.pages("people", prefix=prefix)]
    bounded = 0

    def whole(bar: Bar) -> Iterator[Mapping[str, Any]]:
        nonlocal bounded
        for place, person in enumerate(gathered(desk.api, names), 1):
            permissions = person.get("permissions", [])
            lasting = [it["group"] for it in permissions if not (it.get("valid_from") or it.get("valid_until"))]
            bounded += len(permissions) - len(lasting)
            yield {**person, "card": next(iter(person.get("cards", [])), None), "groups": lasting}
            bar(place)

    with _progress(len(names), desk) as bar:
        write_people(whole(bar), file)
    if bounded:
        # Read in again, they would hold for ever.
        click.echo(f"cardea: {bounded} permission(s) for a time are not in the file", err=True)


@contextmanager
def replaced(file: Path) -> Iterator[TextIO]:
    """A file to write that only its owner can read, in place of the one of this name once it is whole."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(handle, "w", encoding="utf-8", newline="") as opened:  # noqa: PTH123 - it is open already
                yield opened
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror or error}") from error


def _read(file: Path, name: str) -> "PeopleFile":
    from agent.office.peoplefile import read_people

    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise StorageError(f"{file}: {error.strerror or error}") from error
    try:
        return read_people(data)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error


def _end_unsent(desk: Desk, read: "PeopleFile", *, dry_run: bool, skip_bad: bool) -> None:
    """Say that nothing was sent, and why; 0 where that was asked for and the file is right."""
    if desk.as_json:
        print_json({"right": len(read.rows), "imported": 0, "problems": [_document(fault) for fault in read.faults]})
    summary = f"{len(read.rows)} line(s) are right, {len(read.faults)} fault(s); nothing was sent"
    if not dry_run and read.rows and not skip_bad:
        summary += ": mend the file, or import the rest with --skip-bad"
    if read.faults or not dry_run:
        click.echo(f"cardea: {summary}", err=True)
        sys.exit(Exit.USAGE)
    if not desk.as_json:
        click.echo(summary)


def _sum_up(desk: Desk, read: "PeopleFile", done: "Imported") -> None:
    if desk.as_json:
        problems = [*(_document(fault) for fault in read.faults), *done.problems]
        ended = list(done.requests)
        print_json({"right": len(read.rows), "imported": done.people, "problems": problems, "requests": ended})
        return
    if desk.patience is None:
        asked = ", ".join(str(request["request"]) for request in done.requests)
        click.echo(f"{len(read.rows)} line(s) sent; `cardea requests show` tells how it ends: {asked}")
        return
    click.echo(f"{done.people} line(s) imported, {len(read.rows) - done.people + _bad_lines(read)} left out")


def _bad_lines(read: "PeopleFile") -> int:
    return len({fault.line for fault in read.faults})


def _show_problems(problems: Any, name: str) -> None:
    from agent.office.peoplefile import Fault

    for problem in problems:
        fault = Fault(int(problem["line"]), problem["column"], str(problem["detail"]))
        click.echo(fault.words(name), err=True)


def _document(fault: "Fault") -> dict[str, Any]:
    return {"line": fault.line, "column": fault.column, "text": fault.text}


@contextmanager
def _progress(of: int, desk: Desk) -> Iterator[Bar]:
    """A bar on a terminal; elsewhere, and with --json, nothing."""
    if desk.as_json or not sys.stderr.isatty():
        yield _no_bar
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("people", total=of)

        def bar(behind: int) -> None:
            progress.update(task, completed=behind)

        yield bar


def _no_bar(behind: int) -> None:
    """Show nothing."""
