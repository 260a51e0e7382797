"""`cardea people`: who may hold cards, one by one and from files."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from agent.cli.office import (
    Desk,
    change_command,
    given,
    limit_option,
    note_option,
    office_command,
    validity_options,
)
from agent.cli.people_files import export_people, import_file, replaced
from agent.office.errors import BadInput

_COLUMNS: Final = ("person", "name", "status", "valid_from", "valid_until")
_CLEARABLE: Final = {"email": "email", "from": "valid_from", "until": "valid_until"}


@click.group()
def people() -> None:
    """People: create, change, activate, import and export.

    \b
    Example:
      cardea people import people.csv
      cardea people show p-1001
    """


@people.command("list")
@click.option("--prefix", help="Only ids that begin so.")
@limit_option
@office_command
def list_people(desk: Desk, prefix: str | None, limit: int | None) -> None:
    """List people by id.

    \b
    Example:
      cardea people list --prefix p-10
    """
    desk.show_rows(desk.api.pages("people", most=limit, prefix=prefix), *_COLUMNS)


@people.command("show")
@click.argument("person")
@office_command
def show_person(desk: Desk, person: str) -> None:
    """Show a person with cards and permissions.

    \b
    Example:
      cardea people show p-1001
    """
    desk.show_one(desk.api.get("people", person))


@people.command("where")
@click.argument("person")
@office_command
def where_person(desk: Desk, person: str) -> None:
    """Show where a person was last known to be.

    \b
    Example:
      cardea people where p-1001
    """
    desk.show_one(desk.api.get("people", person, "presence"))


@people.command("usage")
@click.argument("person")
@click.option("--since", metavar="INSTANT", help="Not earlier than this: 2026-03-01T08:00:00Z.")
@click.option("--before", metavar="INSTANT", help="Earlier than this.")
@limit_option
@office_command
def usage(desk: Desk, person: str, since: str | None, before: str | None, limit: int | None) -> None:
    """List what a person did at doors, newest first. The reading is itself recorded.

    \b
    Example:
      cardea people usage p-1001 --since 2026-03-01T00:00:00Z
    """
    events = desk.api.pages("people", person, "usage", most=limit, **{"from": since, "to": before})
    desk.show_rows(events, "at", "type", "door", "direction", "reason", "credential")


@people.command("create")
@click.argument("person")
@click.option("--name", required=True, help="For people to read.")
@click.option("--email", help="How to reach them.")
@click.option("--active", is_flag=True, help="Without onboarding.")
@validity_options
@change_command
def create(
    desk: Desk, person: str, name: str, email: str | None, active: bool, since: str | None, until: str | None
) -> None:
    """Make a person known.

    \b
    Example:
      cardea people create p-1001 --name "Ada Lovelace" --until 2026-12-31T23:00:00Z
    """
    body = given(person=person, name=name, email=email, valid_from=since, valid_until=until)
    if active:
        body["status"] = "active"
    desk.change(f"person {person} created", "POST", "people", body=body)


@people.command("update")
@click.argument("person")
@click.option("--name", help="For people to read.")
@click.option("--email", help="How to reach them.")
@validity_options
@click.option("--clear", multiple=True, type=click.Choice(list(_CLEARABLE)), help="Take this away.")
@change_command
def update(
    desk: Desk,
    person: str,
    name: str | None,
    email: str | None,
    since: str | None,
    until: str | None,
    clear: tuple[str, ...],
) -> None:
    """Change what is given; what is left out stays.

    \b
    Example:
      cardea people update p-1001 --name "Ada King" --clear until
    """
    body: dict[str, Any] = given(name=name, email=email, valid_from=since, valid_until=until)
    for each in clear:
        if _CLEARABLE[each] in body:
            raise BadInput(f"--{each} is given and cleared")
        body[_CLEARABLE[each]] = None
    if not body:
        raise BadInput("nothing to change is given")
    desk.change(f"person {person} updated", "PATCH", "people", person, body=body)


@people.command("activate")
@click.argument("person")
@note_option
@change_command
def activate(desk: Desk, person: str, note: str | None) -> None:
    """Let a person's cards work.

    \b
    Example:
      cardea people activate p-1001
    """
    desk.change(f"person {person} activated", "POST", "people", person, "activate", body=given(note=note))


@people.command("deactivate")
@click.argument("person")
@note_option
@change_command
def deactivate(desk: Desk, person: str, note: str | None) -> None:
    """Let no card of a person work any more.

    \b
    Example:
      cardea people deactivate p-1001 --note "left on 31 March"
    """
    desk.change(f"person {person} deactivated", "POST", "people", person, "deactivate", body=given(note=note))


@people.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True))
@click.option("--skip-bad", is_flag=True, help="Import the lines that are right; without, one that is wrong stops all.")
@click.option("--dry-run", is_flag=True, help="Check the file and send nothing.")
@change_command
def import_command(desk: Desk, file: Path, skip_bad: bool, dry_run: bool) -> None:
    """Create or update the people of a CSV file, with cards and groups. Safe to run again.

    The first line names the columns: person, name, and any of email, status, uid or card, groups (separated by ;),
    valid_from, valid_until. Every line is checked before anything is sent.

    \b
    Example:
      cardea people import --dry-run people.csv
      cardea people import --skip-bad people.csv
    """
    import_file(desk, file, skip_bad=skip_bad, dry_run=dry_run)


@people.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--prefix", help="Only ids that begin so.")
@office_command
def export_command(desk: Desk, file: Path | None, prefix: str | None) -> None:
    """Write people to a CSV file that `import` reads, or to stdout.

    \b
    Example:
      cardea people export people.csv
    """
    if file is None:
        export_people(desk, sys.stdout, prefix)
        return
    with replaced(file) as opened:
        export_people(desk, opened, prefix)
