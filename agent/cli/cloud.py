"""`cardea cloud`: the AWS side, from an operator's machine."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from agent.cli.common import fail, json_option, print_json
from cloud.deploy.following import Progress
from cloud.errors import CloudError
from cloud.local.main import LocalCloudDetails, default_home, run_local


@click.group()
def cloud() -> None:
    """The AWS side: stacks, and a local AWS to try them on."""


@cloud.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the local AWS; a free one unless given.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for keys and logs.  [default: ~/.local/state/cardea-local]",
)
@json_option
def local(port: int | None, home: Path | None, as_json: bool) -> None:
    """Run a local AWS with the demo site until Ctrl-C.

    It holds the same stacks as a real account and forgets everything but the site's keys when it stops.

    \b
    Example:
      cardea cloud local --port 4566
    """

    def announce(details: LocalCloudDetails) -> None:
        if as_json:
            print_json(asdict(details))
        else:
            click.echo(f"ready: {details.endpoint}, site {details.site}; for a door: . {details.door_env}")
        sys.stdout.flush()

    def report(progress: Progress) -> None:
        if progress.resource == progress.stack and sys.stderr.isatty() and not as_json:
            click.echo(f"{progress.stack}: {progress.status.replace('_', ' ').lower()}", err=True)

    try:
        run_local(port, home or default_home(), announce, report=report)
    except CloudError as error:
        fail(str(error))
