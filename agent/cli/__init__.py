"""The `cardea` command. Each group of commands is a module of its own, loaded when it is called."""

from importlib import import_module
from typing import Any, Final, NoReturn

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
    "identity": "agent.cli.identity:identity",
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

_OURS: Final = frozenset({"agent", "cloud", "hardware"})


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
        try:
            command: Any = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            # A door is installed without what only the demo or the staff needs, and has their names in its --help.
            if error.name is None or error.name.partition(".")[0] in _OURS:
                raise
            return _without(cmd_name, error.name)
        return command if isinstance(command, click.Command) else None


def _without(command: str, library: str) -> click.Command:
    """In place of a command whose library is not installed: says so, whatever it is given."""

    def say(words: tuple[str, ...]) -> NoReturn:  # noqa: ARG001 - whatever they are
        raise click.ClickException(f"`cardea {command}` needs {library}, which is not installed here")

    return click.Command(
        command,
        callback=say,
        params=[click.Argument(["words"], nargs=-1)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
        short_help=f"Not installed here: needs {library}.",
    )


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
