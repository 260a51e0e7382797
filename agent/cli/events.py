"""`cardea events`: the device's own journal, sent or not."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from agent.cli.common import connect, console, daemon_options, json_option, print_json, reports_errors
from agent.control_client import ControlClient

FOLLOW_S: Final = 0.25


@click.command("events")
@click.option("--door", help="Only events of this door.")
@click.option("--since", type=click.IntRange(min=0), default=0, help="Only events after this number.")
@click.option("--follow", is_flag=True, help="Go on as events come, until interrupted.")
@daemon_options
@json_option
@reports_errors
def events(door: str | None, since: int, follow: bool, config: Path | None, socket: Path | None, as_json: bool) -> None:
    """List the events of the device, oldest first.

    \b
    Example:
      cardea events --door hq-office --since 100
      cardea events --follow --json
    """
    out = console()
    with connect(config, socket) as client:
        for event in _stream(client, door, since, follow=follow):
            if as_json:
                print_json(event)
            else:
                out.print(_line(event), soft_wrap=True)


def _stream(client: ControlClient, door: str | None, since: int, *, follow: bool) -> Iterator[dict[str, Any]]:
    while True:
        page = client.request("events", since=since, door=door)["events"]
        yield from page
        if page:
            since = page[-1]["seq"]
        elif not follow:
            return
        else:
            time.sleep(FOLLOW_S)


def _line(event: dict[str, Any]) -> str:
    colours = {"access.granted": "green", "access.denied": "red", "door.forced": "bold red", "door.held": "bold red"}
    colour = colours.get(event["type"], "default")
    where = " ".join(part for part in (event["door"], event["reader"]) if part)
    what = " ".join(part for part in (event["reason"], event["person"]) if part)
    sent = "sent" if event["sent"] else "[yellow]unsent[/]"
    return f"{event['seq']:>6} {event['at']} [{colour}]{event['type']:<22}[/] {where:<28} {what:<32} {sent}"
