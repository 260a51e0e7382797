"""`cardea schedules`: the weeks on which groups open doors."""

import re
from typing import Any, Final

import click

from agent.cli.office import Desk, change_command
from agent.cli.office_places import add_place_commands, changed, clear_option, put_place
from agent.office.errors import BadInput
from cloud.contract.items import DAYS

_WINDOW: Final = re.compile(r"(?P<days>[a-z,-]+) +(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)", re.ASCII)


@click.group()
def schedules() -> None:
    """Schedules: weeks of windows, in a time zone.

    \b
    Example:
      cardea schedules put office-hours --window "mon-fri 07:00-18:00" --holidays public
    """


add_place_commands(schedules, "schedule", "schedules", "schedule", "name", "zone", "holidays", "windows")


@schedules.command("put")
@click.argument("schedule")
@click.option("--name", help="For people to read.")
@click.option("--zone", help="IANA time zone, such as Europe/Berlin.")
@click.option(
    "--window", "windows", multiple=True, metavar="'DAYS FROM-TO'",
    help="In place of all windows: 'mon-fri 07:00-18:00', 'sat,sun 22:00-06:00'.",
)  # fmt: skip
@click.option("--holidays", metavar="ID", help="Calendar on whose days no window begins.")
@clear_option("holidays", "windows")
@change_command
def put_schedule(
    desk: Desk,
    schedule: str,
    name: str | None,
    zone: str | None,
    windows: tuple[str, ...],
    holidays: str | None,
    clear: tuple[str, ...],
) -> None:
    """Make a schedule or change one; what is left out stays.

    \b
    Example:
      cardea schedules put nights --name Nights --zone Europe/Berlin --window "mon-fri 22:00-06:00"
    """
    listed = [parse_window(text) for text in windows] or None
    fields = {"name": name, "zone": zone, "windows": listed, "holidays": holidays}

    def change(now: dict[str, Any]) -> dict[str, Any]:
        after = changed(now, fields, clear)
        if "zone" not in after:
            raise BadInput(f"schedule {schedule} is new and needs a --zone")
        return after

    put_place(desk, "schedule", "schedules", schedule, change)


def parse_window(text: str) -> dict[str, Any]:
    """A window as people write it, `mon-fri,sun 07:00-18:00`; raises BadInput."""
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None:
        raise BadInput(f"{text!r} is not a window like 'mon-fri 07:00-18:00'")
    days: list[str] = []
    for part in found["days"].split(","):
        first, separator, last = part.partition("-")
        if first not in DAYS or (separator and last not in DAYS):
            raise BadInput(f"{text!r}: days are {', '.join(DAYS)}, or from one to another")
        begin, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7 + 1
        days += [DAYS[(begin + offset) % 7] for offset in range(length)]
    return {"days": sorted(set(days), key=DAYS.index), "start": found["start"], "end": found["end"]}
