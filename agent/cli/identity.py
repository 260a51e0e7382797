"""`cardea identity`: what the cloud must know of a controller to believe it. Must never print a private key."""

import os
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.cli.common import json_option, print_json, reports_errors
from agent.config import Config
from agent.configfile import load
from agent.errors import AgentError
from agent.places import DEFAULT_CONFIG
from agent.storage.keys import load_or_make_device_key, load_secret


@click.command("identity")
@click.option("--config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@click.option("--make", is_flag=True, help="Make the key if there is none yet, as the first start would.")
@json_option
@reports_errors
def identity(config: Path, *, make: bool, as_json: bool) -> None:
    """Show a controller's id, public key and doors, as the line that registers it.

    Register a controller before it starts: what it sends before that is set aside and not believed.

    \b
    Example:
      sudo -u cardea cardea identity --make
    """
    loaded = load(config)
    public = _key(loaded, make=make).public_key().public_bytes_raw().hex()
    doors = [door.id for door in loaded.door]
    if as_json:
        print_json({"device": loaded.device.id, "site": loaded.device.site, "key": public, "doors": doors})
    else:
        named = "".join(f" --door {door}" for door in doors)
        click.echo(f"cardea devices register {loaded.device.id} --key {public}{named} --site {loaded.device.site}")


def _key(config: Config, *, make: bool) -> Ed25519PrivateKey:
    state = config.device.state_dir
    path = state / "device.key"
    if not make:
        return Ed25519PrivateKey.from_private_bytes(load_secret(path))
    if not state.is_dir():
        raise AgentError(f"{state} is not there: install the service first")
    # A key of root's is one that the daemon can't read, and it would not start.
    if state.stat().st_uid != os.geteuid():
        raise AgentError(f"{state} belongs to another user: make the key as that user, who runs the daemon")
    return load_or_make_device_key(path)
