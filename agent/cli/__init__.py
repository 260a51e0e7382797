"""The `cardea` command. Each group of commands is a module of its own, loaded when it is called."""

from importlib import import_module
from typing import Any, Final

import click

from agent.version import VERSION

_COMMANDS: Final = {
    "run": "agent.cli.run:run",
    "check-config": "agent.cli.check_config:check_config",
    "status": "agent.cli.status:status",
    "tap": "agent.cli.tap:tap",
    "input": "agent.cli.input:set_input",
    "fire-reset": "agent.cli.input:fire_reset",
    "why": "agent.cli.why:why",
    "events": "agent.cli.events:events",
    "verify-journal": "agent.cli.verify_journal:verify_journal",
    "readers": "agent.cli.readers:readers",
    "doctor": "agent.cli.doctor:doctor",
    "demo": "agent.cli.demo:demo",
    "cloud": "agent.cli.cloud:cloud",
    "login": "agent.cli.login:login",
    "logout": "agent.cli.login:logout",
    "people": "agent.cli.people:people",
    "cards": "agent.cli.cards:cards",
    "groups": "agent.cli.groups:groups",
    "schedules": "agent.cli.schedules:schedules",
    "holidays": "agent.cli.places:holidays",
    "doors": "agent.cli.doors:doors",
    "areas": "agent.cli.places:areas",
    "buildings": "agent.cli.places:buildings",
    "requests": "agent.cli.office_records:requests",
    "audit": "agent.cli.office_records:audit",
    "devices": "agent.cli.office_records:devices",
    "operators": "agent.cli.office_records:operators",
}


class LazyGroup(click.Group):
    """Knows its commands by name and loads only the one that runs: `cardea tap` needs no AWS library."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order in which a person meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load one."""
        path = _COMMANDS.get(cmd_name)
        if path is None:
            return None
        module, _, name = path.partition(":")
        command: Any = getattr(import_module(module), name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="cardea")
def main() -> None:
    """Cardea: physical access control for doors with a Raspberry Pi.

    Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 access denied, 4 no daemon or service there.

    \b
    Example:
      cardea check-config /etc/cardea/cardea.toml
      cardea run --config /etc/cardea/cardea.toml
    """
