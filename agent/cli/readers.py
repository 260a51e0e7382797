"""`cardea readers`: what is attached, with the exact lines of configuration to use it."""

import dataclasses

import click

from agent.cli.common import console, json_option, print_json, reports_errors
from hardware.readers.discovery import attached


@click.command("readers")
@json_option
@reports_errors
def readers(as_json: bool) -> None:
    """List attached PC/SC and NFC readers with the configuration lines to use them.

    Readers on serial ports are not looked for: something else may listen there. Name them yourself, such as
    path = "tty:S0:pn532".

    \b
    Example:
      cardea readers
    """
    found = attached()
    if as_json:
        print_json({"readers": [dataclasses.asdict(item) for item in found]})
        return
    out = console()
    for item in found:
        if item.name is not None:
            out.print(f"[bold]{item.driver}[/]: {item.name}", soft_wrap=True)
        for line in item.config:
            out.print(f"    {line}", markup=False, soft_wrap=True)
        if item.note is not None:
            out.print(f"[yellow]{item.driver}[/]: {item.note}", soft_wrap=True)
    if not any(item.name for item in found):
        out.print("no reader found")
