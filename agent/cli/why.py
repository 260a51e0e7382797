"""`cardea why`: the decision for a card and the whole reasoning, without opening anything."""

from pathlib import Path

import click
from rich.table import Table

from agent.cli.common import connect, console, daemon_options, json_option, print_json, reports_errors


@click.command("why")
@click.argument("card")
@click.option("--door", help="Door; may be left out when there is only one.")
@click.option("--at", help="Instant with a time zone, such as 2026-03-01T08:00:00Z; now if left out.")
@click.option("--direction", type=click.Choice(["in", "out"]), default="in", show_default=True)
@daemon_options
@json_option
@reports_errors
def why(
    card: str,
    door: str | None,
    at: str | None,
    direction: str,
    config: Path | None,
    socket: Path | None,
    as_json: bool,
) -> None:
    """Explain what the door would decide for CARD. The door's own decision function answers.

    \b
    Example:
      cardea why carol --door hq-office --at 2026-03-01T08:00:00+01:00
    """
    with connect(config, socket) as client:
        result = client.request("why", card=card, door=door, at=at, direction=direction)["result"]
    if as_json:
        print_json(result)
        return
    out = console()
    colour = "green" if result["decision"] == "granted" else "red"
    out.print(f"[bold {colour}]{result['decision']}[/] at {result['door']} ({result['direction']}): {result['text']}")
    table = Table("", "check", "", box=None, pad_edge=False)
    for check in result["checks"]:
        mark = "[green]yes[/]" if check["passed"] else "[red]no[/]"
        table.add_row(mark, check["name"], check["text"])
    out.print(table)
