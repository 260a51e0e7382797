"""`cardea groups`: which doors a group opens and when, and who belongs to it."""

from collections.abc import Mapping
from typing import Any

import click

from agent.cli.office import Desk, change_command, given, note_option, validity_options
from agent.cli.office_places import add_place_commands, changed, put_place
from agent.office.errors import BadInput


@click.group()
def groups() -> None:
    """Access groups: which doors they open, and who belongs to them.

    \b
    Example:
      cardea groups put staff --opens hq-lobby --opens hq-office@office-hours
      cardea groups grant staff p-1001
    """


add_place_commands(groups, "group", "groups", "group", "name", "grants")


@groups.command("put")
@click.argument("group")
@click.option("--name", help="For people to read.")
@click.option("--opens", multiple=True, metavar="DOOR[@SCHEDULE]", help="Opens this door, too.")
@click.option("--closes", multiple=True, metavar="DOOR[@SCHEDULE]", help="No longer opens it; without @, at no time.")
@change_command
def put_group(desk: Desk, group: str, name: str | None, opens: tuple[str, ...], closes: tuple[str, ...]) -> None:
    """Make a group or change one; what is left out stays.

    \b
    Example:
      cardea groups put staff --name Staff --opens hq-lobby --opens hq-office@office-hours
      cardea groups put staff --closes hq-lab
    """

    def change(now: dict[str, Any]) -> dict[str, Any]:
        grants = with_grants(now.get("grants", []), opens, closes)
        return changed(now, {"name": name, "grants": grants})

    put_place(desk, "group", "groups", group, change)


@groups.command("grant")
@click.argument("group")
@click.argument("person")
@validity_options
@note_option
@change_command
def grant(desk: Desk, group: str, person: str, since: str | None, until: str | None, note: str | None) -> None:
    """Let a person belong to a group, for ever or for a time.

    \b
    Example:
      cardea groups grant lab p-1001 --from 2026-03-01T08:00:00Z --until 2026-04-01T00:00:00Z
    """
    body = given(group=group, valid_from=since, valid_until=until, note=note)
    desk.change(f"person {person} belongs to {group}", "POST", "people", person, "permissions", body=body)


@groups.command("end")
@click.argument("group")
@click.argument("person")
@click.option("--permission", help="Only this one, where the person has several for the group.")
@click.option("--at", metavar="INSTANT", help="Then, not now: 2026-04-01T00:00:00Z.")
@note_option
@change_command
def end(desk: Desk, group: str, person: str, permission: str | None, at: str | None, note: str | None) -> None:
    """Let a person no longer belong to a group.

    \b
    Example:
      cardea groups end lab p-1001
    """
    held = desk.api.get("people", person, "permissions").get("items", [])
    meant = [
        str(it["permission"])
        for it in held
        if it["group"] == group and (permission is None or it["permission"] == permission)
    ]
    if not meant:
        raise BadInput(f"person {person} has no such permission for group {group}")
    for each in meant:
        path = "people", person, "permissions", each, "end"
        said = f"permission {each} of person {person} for {group} ends"
        desk.change(said, "POST", *path, body=given(at=at, note=note))


def with_grants(now: list[Mapping[str, Any]], opens: tuple[str, ...], closes: tuple[str, ...]) -> list[dict[str, Any]]:
    """The grants of a group without those that are closed and with those that are opened; raises BadInput."""
    grants = [{"door": it["door"], "schedule": it.get("schedule")} for it in now]
    for text in closes:
        door, separator, schedule = text.partition("@")
        kept = [it for it in grants if it["door"] != door or (separator and it["schedule"] != schedule)]
        if len(kept) == len(grants):
            raise BadInput(f"the group does not open {text}")
        grants = kept
    for text in opens:
        door, separator, schedule = text.partition("@")
        if not door or (separator and not schedule):
            raise BadInput(f"{text!r} is not DOOR or DOOR@SCHEDULE")
        wanted = {"door": door, "schedule": schedule or None}
        grants += [] if wanted in grants else [wanted]
    return grants
