"""`cardea tap`: hold a card to an emulated reader and wait for the decision."""

import sys
from pathlib import Path

import click

from agent.cli.common import Exit, connect, console, daemon_options, json_option, print_json, reports_errors


@click.command("tap")
@click.argument("card")
@click.option("--reader", help="Emulated reader; may be left out when there is only one.")
@daemon_options
@json_option
@reports_errors
def tap(card: str, reader: str | None, config: Path | None, socket: Path | None, as_json: bool) -> None:
    """Present CARD (a UID in hex, or a name from [emulated.cards]). Exits with 0 granted, 3 denied.

    \b
    Example:
      cardea tap alice --reader turnstile-in
      cardea tap 04A1B2C3D4E580 --json
    """
    with connect(config, socket) as client:
        result = client.request("tap", card=card, reader=reader)["result"]
    granted = result["decision"] == "granted"
    if as_json:
        print_json(result)
    else:
        colour = "green" if granted else "red"
        out = console()
        out.print(
            f"[bold {colour}]{result['decision']}[/] at {result['door']} ({result['direction']}): {result['text']}"
        )
        out.print(f"[dim]{result['reason']}, event {result['seq']}, {result['latency_ms']:.1f} ms[/]")
    sys.exit(Exit.DONE if granted else Exit.DENIED)
