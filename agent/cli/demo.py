"""`cardea demo`: the whole system on this machine, with a page to move doors. What `make run` runs."""

from pathlib import Path

import click

from agent.cli.common import reports_errors
from agent.panel.demo import DemoSettings, run_demo


@click.command("demo")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8600, show_default=True, help="Port of the page; 0: any."
)
@click.option("--config", type=click.Path(path_type=Path), default=Path("config/emulated.toml"), show_default=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("build/demo"),
    show_default=True,
    help="For logs and keys.",
)
@click.option("--walk", is_flag=True, help="Once ready, show the way of a card: linked, admitted, stolen, refused.")
@reports_errors
def demo(port: int, config: Path, folder: Path, *, walk: bool) -> None:
    """Run the local AWS, the doors of CONFIG and the panel until Ctrl-C.

    The local AWS and the doors' state begin empty each time; the last state is kept beside it as `.previous`.

    \b
    Example:
      cardea demo --port 8600
      cardea demo --walk
    """
    run_demo(
        DemoSettings(config=config, port=port, folder=folder, walk=walk),
        say=click.echo,
        progress=lambda text: click.echo(f"cardea: {text}", err=True),
    )
