"""`cardea input` and `cardea fire-reset`: move an emulated input; end a fire state by hand."""

from pathlib import Path

import click

from agent.cli.common import connect, daemon_options, json_option, print_json, reports_errors


@click.command("input")
@click.argument("name")
@click.argument("action", type=click.Choice(["on", "off", "press"]))
@daemon_options
@json_option
@reports_errors
def set_input(name: str, action: str, config: Path | None, socket: Path | None, as_json: bool) -> None:
    """Set the emulated input NAME, such as `rex`, or `hq-office.rex` where several doors have one.

    On means: not in its normal position. For a contact, on is an open door.

    \b
    Example:
      cardea input hq-office.rex press
      cardea input contact on
    """
    with connect(config, socket) as client:
        result = client.request("input", name=name, action=action)["result"]
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['name']}: {result['action']}")


@click.command("fire-reset")
@click.argument("door", required=False)
@daemon_options
@json_option
@reports_errors
def fire_reset(door: str | None, config: Path | None, socket: Path | None, as_json: bool) -> None:
    """End the fire state of DOOR, or of all doors; refused while the fire input is active.

    \b
    Example:
      cardea fire-reset hq-office
    """
    with connect(config, socket) as client:
        result = client.request("fire-reset", door=door)["result"]
    if as_json:
        print_json(result)
    else:
        click.echo(f"asked for: fire reset of {door or 'all doors'}")
