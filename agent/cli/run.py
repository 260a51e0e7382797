"""`cardea run`: the daemon in the foreground."""

import sys
from pathlib import Path

import click

from agent.cli.common import reports_errors
from agent.places import DEFAULT_CONFIG
from agent.process import without_ornaments


@click.command("run")
@click.option("--config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@reports_errors
def run(config: Path) -> None:
    """Run the daemon. JSON lines go to stdout; SIGTERM stops it, SIGHUP reloads the configuration.

    \b
    Example:
      cardea run --config config/emulated.toml
    """
    # Loads the whole agent, which no other command needs.
    with without_ornaments():
        from agent.daemon import serve

    sys.exit(serve(config))
