"""`cardea check-config`: everything that is wrong with a configuration, at once."""

from pathlib import Path

import click

from agent.cli.common import json_option, print_json, reports_errors
from agent.configfile import load
from agent.errors import ConfigError


@click.command("check-config")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@reports_errors
def check_config(file: Path, as_json: bool) -> None:
    """Check a configuration and print every error with its place. Exits with 0 or 2.

    \b
    Example:
      cardea check-config /etc/cardea/cardea.toml
    """
    try:
        config = load(file)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [{"where": item.where, "what": item.what, "hint": item.hint} for item in error.problems]
        print_json({"ok": False, "problems": problems})
        raise SystemExit(2) from None
    if as_json:
        print_json({"ok": True, "problems": []})
        return
    readers = sum(len(door.reader) for door in config.door)
    click.echo(f"{file}: good: device {config.device.id}, {len(config.door)} door(s), {readers} reader(s)")
