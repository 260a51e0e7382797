"""`cardea verify-journal`: is the journal whole, in order and unchanged?"""

import sys
from pathlib import Path

import click
from rich.progress import Progress

from agent.cli.common import Exit, connect, json_option, print_json, reports_errors
from agent.configfile import load
from agent.places import DEFAULT_CONFIG
from agent.storage.journal_schema import FILE_NAME
from agent.storage.verify import verify


@click.command("verify-journal")
@click.option("--config", type=click.Path(path_type=Path), help="Configuration that says where the journal is.")
@click.option("--socket", type=click.Path(path_type=Path), help="Control socket of the daemon that has the journal.")
@json_option
@reports_errors
def verify_journal(config: Path | None, socket: Path | None, as_json: bool) -> None:
    """Check sequence, hash chain and pages of the journal, of a running agent or a stopped one. Exits with 0 or 1.

    \b
    Example:
      cardea verify-journal --config /etc/cardea/cardea.toml
    """
    path = _state_dir(config, socket) / FILE_NAME
    with Progress(transient=True, disable=as_json or not sys.stderr.isatty()) as progress:
        task = progress.add_task("events", total=None)
        found = verify(path, lambda done, total: progress.update(task, completed=done, total=total))
    if as_json:
        first = None if found is None else {"epoch": found.epoch, "seq": found.seq, "what": found.what}
        print_json({"ok": found is None, "journal": str(path), "first_break": first})
    elif found is None:
        click.echo(f"{path}: whole")
    else:
        click.echo(f"{path}: broken at epoch {found.epoch}, event {found.seq}: {found.what}")
    sys.exit(Exit.DONE if found is None else Exit.FAILED)


def _state_dir(config: Path | None, socket: Path | None) -> Path:
    """Where --config says, else where the running daemon says, else where the default configuration says."""
    if config is None and (socket is not None or not DEFAULT_CONFIG.exists()):
        with connect(None, socket) as client:
            return Path(client.request("about")["state_dir"])
    return load(config or DEFAULT_CONFIG).device.state_dir
