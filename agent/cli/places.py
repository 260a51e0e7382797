"""`cardea buildings`, `areas` and `holidays`: what doors and schedules name."""

from typing import Any

import click

from agent.cli.office import Desk, change_command, limit_option, office_command
from agent.cli.office_places import add_place_commands, changed, clear_option, put_place
from agent.office.errors import BadInput


@click.group()
def buildings() -> None:
    """Buildings, and who is inside.

    \b
    Example:
      cardea buildings occupancy hq
    """


@click.group()
def areas() -> None:
    """Areas: what doors lead to.

    \b
    Example:
      cardea areas put hq --name Headquarters --anti-passback hard
    """


@click.group()
def holidays() -> None:
    """Calendars of days on which the schedules that name them do not begin.

    \b
    Example:
      cardea holidays put public --date 2026-12-25 --date 2026-12-26
    """


add_place_commands(buildings, "building", "buildings", "building", "name")
add_place_commands(areas, "area", "areas", "area", "name", "building", "anti_passback")
add_place_commands(holidays, "holidays", "holidays", "holidays", "name", "dates")


@buildings.command("put")
@click.argument("building")
@click.option("--name", help="For people to read.")
@change_command
def put_building(desk: Desk, building: str, name: str | None) -> None:
    """Make a building or rename one.

    \b
    Example:
      cardea buildings put hq --name Headquarters
    """
    put_place(desk, "building", "buildings", building, lambda now: changed(now, {"name": name}))


@buildings.command("occupancy")
@click.argument("building")
@limit_option
@office_command
def occupancy(desk: Desk, building: str, limit: int | None) -> None:
    """List who is inside a building, as far as its doors know.

    \b
    Example:
      cardea buildings occupancy hq --json
    """
    inside = desk.api.pages("buildings", building, "occupancy", most=limit)
    desk.show_rows(inside, "person", "name", "area", "at")


@areas.command("put")
@click.argument("area")
@click.option("--name", help="For people to read.")
@click.option("--building", help="Building that it is in.")
@click.option("--anti-passback", type=click.Choice(["off", "hard"]), help="Whether who is inside can come in again.")
@clear_option("building")
@change_command
def put_area(
    desk: Desk, area: str, name: str | None, building: str | None, anti_passback: str | None, clear: tuple[str, ...]
) -> None:
    """Make an area or change one; what is left out stays.

    \b
    Example:
      cardea areas put hq --name Headquarters --building hq --anti-passback hard
    """
    fields = {"name": name, "building": building, "anti_passback": anti_passback}
    put_place(desk, "area", "areas", area, lambda now: changed(now, fields, clear))


@holidays.command("put")
@click.argument("holidays_id", metavar="ID")
@click.option("--name", help="For people to read.")
@click.option("--date", "dates", multiple=True, metavar="DATE", help="One more day: 2026-12-25.")
@click.option("--without", multiple=True, metavar="DATE", help="One day less.")
@change_command
def put_holidays(
    desk: Desk, holidays_id: str, name: str | None, dates: tuple[str, ...], without: tuple[str, ...]
) -> None:
    """Make a calendar or change one; what is left out stays.

    \b
    Example:
      cardea holidays put public --name "Public holidays" --date 2026-12-25 --date 2026-12-26
    """

    def change(now: dict[str, Any]) -> dict[str, Any]:
        listed = set(now.get("dates", []))
        for day in without:
            if day not in listed:
                raise BadInput(f"{day} is not in the calendar")
        return changed(now, {"name": name, "dates": sorted((listed - set(without)) | set(dates))})

    put_place(desk, "holidays", "holidays", holidays_id, change)
