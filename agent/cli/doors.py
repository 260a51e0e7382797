"""`cardea doors`: what lies on the two sides of a door, what it does, and what happened there."""

import click

from agent.cli.office import Desk, change_command, limit_option, office_command
from agent.cli.office_places import add_place_commands, changed, clear_option, put_place


@click.group()
def doors() -> None:
    """Doors: list, change, and read what happened there.

    \b
    Example:
      cardea doors put hq-lobby --mode lockdown
      cardea doors events hq-lobby --limit 20
    """


add_place_commands(doors, "door", "doors", "door", "name", "mode", "building", "inside", "outside")


@doors.command("put")
@click.argument("door")
@click.option("--name", help="For people to read.")
@click.option("--building", help="Building that it belongs to.")
@click.option("--mode", type=click.Choice(["normal", "unlocked", "lockdown", "disabled"]))
@click.option("--inside", help="Area that its in-readers lead to.")
@click.option("--outside", help="Area that its out-readers lead to.")
@clear_option("building", "inside", "outside")
@change_command
def put_door(
    desk: Desk,
    door: str,
    name: str | None,
    building: str | None,
    mode: str | None,
    inside: str | None,
    outside: str | None,
    clear: tuple[str, ...],
) -> None:
    """Make a door or change one; what is left out stays.

    \b
    Example:
      cardea doors put hq-lobby --name "Lobby" --building hq --inside hq --outside street
    """
    fields = {"name": name, "building": building, "mode": mode, "inside": inside, "outside": outside}
    put_place(desk, "door", "doors", door, lambda now: changed(now, fields, clear))


@doors.command("events")
@click.argument("door")
@click.option("--since", metavar="INSTANT", help="Not earlier than this: 2026-03-01T08:00:00Z.")
@click.option("--before", metavar="INSTANT", help="Earlier than this.")
@limit_option
@office_command
def door_events(desk: Desk, door: str, since: str | None, before: str | None, limit: int | None) -> None:
    """List what happened at a door, newest first.

    \b
    Example:
      cardea doors events hq-lobby --since 2026-03-01T00:00:00Z --json
    """
    events = desk.api.pages("doors", door, "events", most=limit, **{"from": since, "to": before})
    desk.show_rows(events, "at", "type", "direction", "reason", "person", "credential", "device")
