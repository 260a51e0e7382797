"""What the commands share: finding the daemon, printing for people and for scripts, exit codes."""

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

from agent.configfile import load
from agent.control_client import ControlClient
from agent.errors import AgentError, ConfigError, Unreachable
from agent.places import default_socket

if TYPE_CHECKING:
    from rich.console import Console


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DENIED = 3
    UNREACHABLE = 4


P = ParamSpec("P")
R = TypeVar("R")


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """End with one line on stderr."""
    click.echo(f"cardea: {message}", err=True)
    sys.exit(code)


def show_config_error(error: ConfigError) -> NoReturn:
    """End with every problem of a configuration, a line each."""
    click.echo(f"cardea: {error.source}: {len(error.problems)} problem(s)", err=True)
    for problem in error.problems:
        hint = f" ({problem.hint})" if problem.hint else ""
        click.echo(f"  {problem.where}: {problem.what}{hint}", err=True)
    sys.exit(Exit.USAGE)


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into one clear line and the right exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ConfigError as error:
            show_config_error(error)
        except Unreachable as error:
            fail(str(error), Exit.UNREACHABLE)
        except AgentError as error:
            fail(str(error))
        except BrokenPipeError:
            # The reader of our output went away, as `| head` does; nothing is left to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(Exit.FAILED)

    return run


def daemon_options(command: Callable[P, R]) -> Callable[P, R]:
    """The options that say which daemon is meant."""
    command = click.option("--socket", type=click.Path(path_type=Path), help="Control socket of the daemon.")(command)
    return click.option("--config", type=click.Path(path_type=Path), help="Configuration that the daemon runs with.")(
        command
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


def connect(config: Path | None, socket: Path | None) -> ControlClient:
    """The daemon that is meant; raises Unreachable, ConfigError."""
    return ControlClient(socket_path(config, socket))


def socket_path(config: Path | None, socket: Path | None) -> Path:
    """--socket, else the one of --config, else $CARDEA_SOCKET, else the default."""
    if socket is not None:
        return socket
    if config is not None:
        return load(config).device.socket or default_socket()
    named = os.environ.get("CARDEA_SOCKET")
    return Path(named) if named else default_socket()


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document on one line."""
    click.echo(json.dumps(document, separators=(",", ":")))


def console(*, err: bool = False) -> "Console":
    """Tables and colours for a terminal; elsewhere plain text, wide enough that no line is broken.

    `err` makes it stderr, for what is not the answer.
    """
    # Here, because the daemon is a command too and shall not carry it.
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    # emoji: an id such as `a:on:b` is no arrow.
    return Console(highlight=False, emoji=False, stderr=err, width=None if stream.isatty() else 240)
