"""`cardea status`: what the running daemon knows of itself."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from agent.cli.common import connect, console, daemon_options, json_option, print_json, reports_errors
from agent.doctor.remedies import remedy_of


@click.command("status")
@daemon_options
@json_option
@reports_errors
def status(config: Path | None, socket: Path | None, as_json: bool) -> None:
    """Show doors, readers, allow-list, journal and links of the running daemon.

    \b
    Example:
      cardea status
      cardea status --json | jq .degraded
    """
    with connect(config, socket) as client:
        document = client.request("status")["status"]
    if as_json:
        print_json(document)
        return
    _show(document)


def _show(document: dict[str, Any]) -> None:
    out = console()
    trouble = ", ".join(document["degraded"])
    state = f"[yellow]degraded: {trouble}[/]" if trouble else "[green]all well[/]"
    out.print(f"[bold]{document['device']}[/] at {document['site']}, Cardea {document['version']}: {state}")
    for reason in document["degraded"]:
        remedy = remedy_of(reason)
        out.print(Text(f"  {reason}: {remedy.means} {remedy.todo}"), soft_wrap=not out.is_terminal)
    doors = Table("door", "mode", "lock", "state", "contact", box=None, pad_edge=False)
    for door in document["doors"]:
        colour = "red" if door["state"] in ("forced", "held") or door["fire"] else None
        doors.add_row(door["id"], door["mode"], door["lock"], door["state"], door["contact"], style=colour)
    readers = Table("reader", "driver", "door", "direction", "state", box=None, pad_edge=False)
    for reader in document["readers"]:
        colour = None if reader["state"] == "ready" else "yellow"
        readers.add_row(
            reader["name"], reader["driver"], reader["door"], reader["direction"], reader["state"], style=colour
        )
    rest = Table(box=None, pad_edge=False, show_header=False)
    allowlist, journal = document["allowlist"], document["journal"]
    age = "never confirmed" if allowlist["age_s"] is None else f"confirmed {allowlist['age_s']:g} s ago"
    held = "none yet" if allowlist["version"] is None else f"version {allowlist['version']}, {allowlist['cards']} cards"
    rest.add_row("allow-list", f"{held}, {age}")
    rest.add_row("journal", f"{journal['seq']} events in epoch {journal['epoch']}, {journal['unsent']} unsent")
    rest.add_row("uplink", document["uplink"]["state"])
    rest.add_row("sync", document["sync"]["state"])
    source = document.get("clock_source")
    rest.add_row("clock", document["clock"] if source is None else f"{document['clock']}, told by the {source}")
    for table in (doors, readers, rest):
        out.print()
        out.print(table)
