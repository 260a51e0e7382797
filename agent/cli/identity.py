"""`cardea identity`: what the cloud must know of a controller to believe it. Must never print a private key."""

from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.cli.common import json_option, print_json, reports_errors
from agent.configfile import load
from agent.places import DEFAULT_CONFIG
from agent.storage.keys import load_secret


@click.command("identity")
@click.option("--config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@json_option
@reports_errors
def identity(config: Path, *, as_json: bool) -> None:
    """Show a controller's id, public key and doors, as the line that registers it. It has a key once it has started.

    \b
    Example:
      cardea identity --config /etc/cardea/cardea.toml
    """
    loaded = load(config)
    key = Ed25519PrivateKey.from_private_bytes(load_secret(loaded.device.state_dir / "device.key"))
    public = key.public_key().public_bytes_raw().hex()
    doors = [door.id for door in loaded.door]
    if as_json:
        print_json({"device": loaded.device.id, "site": loaded.device.site, "key": public, "doors": doors})
    else:
        named = "".join(f" --door {door}" for door in doors)
        click.echo(f"cardea devices register {loaded.device.id} --key {public}{named} --site {loaded.device.site}")
