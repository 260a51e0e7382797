"""What the staff's commands share: whom they talk to, how they show what comes back, and how they end."""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import click

from agent.cli.common import Exit, console, fail, json_option, print_json, reports_errors
from agent.errors import ConfigError, Problem
from agent.office.errors import BadInput, NotSignedIn, OfficeError, Rejected, ServiceUnreachable, Unfinished
from agent.office.profile import Profile, load_profile, profile_path
from agent.office.tokens import FixedToken, KeptTokens, Tokens, TokenSource, token_path
from agent.printable import one_line

if TYPE_CHECKING:
    # Not at run time: a door is installed without what only the staff needs, and has these commands in its --help.
    from agent.office.api import Api
    from agent.office.changes import Patience

WAIT_S: Final = 60.0
"""How long nothing may happen to a request before the command stops waiting."""
_EXIT: Final[Mapping[type[OfficeError], Exit]] = {BadInput: Exit.USAGE, ServiceUnreachable: Exit.UNREACHABLE}

P = ParamSpec("P")
R = TypeVar("R")
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with."""

    api: "Api"
    as_json: bool
    patience: "Patience | None" = None
    """None: no end of a change is waited for."""

    def show_rows(self, rows: Iterable[Document], *columns: str) -> None:
        """A table of these columns; with --json each row whole, on a line of its own as it comes."""
        if self.as_json:
            for row in rows:
                print_json(row)
            return
        from rich.table import Table

        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(cell(row.get(column)) for column in columns))
        console().print(table)

    def show_one(self, document: Document) -> None:
        """All fields of one thing, or the document."""
        if self.as_json:
            print_json(document)
            return
        from rich.table import Table

        table = Table(show_header=False, box=None, pad_edge=False)
        for name, value in document.items():
            nested = isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value)
            lines = "\n".join(cell(each) for each in value) if nested else cell(value)
            table.add_row(f"[bold]{cell(name)}[/]", lines)
        console().print(table)

    def change(self, said: str, method: str, *path: str, body: Document | None = None) -> None:
        """Ask for a change, wait for its end, and say so; `said` is what is done then, in words."""
        request = self.api.change(method, *path, body=body)
        if self.patience is not None:
            from agent.office.changes import follow

            request = follow(self.api, request, self.patience)
        if self.as_json:
            print_json(request)
        elif self.patience is None:
            click.echo(f"asked for as request {cell(request['request'])}: {said}")
        else:
            listed = request.get("list")
            doors = f"; doors learn it with list {listed['epoch']}.{listed['version']}" if listed else ""
            click.echo(f"{said}{doors}")


def office_command(command: Callable[Concatenate[Desk, P], R]) -> Callable[..., R]:
    """Turn a function of a Desk into a command's: with the options that say which API, and errors in one line."""

    @click.option("--api", metavar="URL", help="Base URL of the API; $CARDEA_API, or the profile's.")
    @click.option("--site", metavar="ID", help="Site; $CARDEA_SITE, or the profile's.")
    @json_option
    @functools.wraps(command)
    @reports_errors
    def run(api: str | None, site: str | None, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> R:
        with exits(as_json=as_json), _opened(api, site) as opened:
            patience = _patience(kwargs)
            return command(Desk(opened, as_json, patience), *args, **kwargs)

    return run


def change_command(command: Callable[Concatenate[Desk, P], R]) -> Callable[..., R]:
    """An `office_command` that changes something: with the options that say how long its end is waited for."""
    made = office_command(command)
    made = click.option("--no-wait", is_flag=True, help="Do not wait until the change is carried out.")(made)
    return click.option(
        "--wait-s", type=click.FloatRange(min=1), default=WAIT_S, show_default=True, metavar="SECONDS",
        help="How long nothing may happen to the change before it is no longer waited for.",
    )(made)  # fmt: skip


note_option = click.option("--note", help="Why; kept with the change.")
limit_option = click.option("--limit", type=click.IntRange(min=1), help="At most so many.")


def validity_options(command: Callable[P, R]) -> Callable[P, R]:
    """From when and until when something holds."""
    command = click.option("--until", metavar="INSTANT", help="No longer valid from then on.")(command)
    return click.option("--from", "since", metavar="INSTANT", help="Valid from then on: 2026-03-01T08:00:00Z.")(command)


def given(**fields: Any) -> dict[str, Any]:
    """The fields that were given: not None, and no empty list."""
    return {name: value for name, value in fields.items() if value is not None and value not in ((), [])}


def cell(value: object) -> str:
    """A value from the service for a terminal: one line, and nothing in it that is taken for markup."""
    from rich.markup import escape

    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{cell(name)} {cell(each)}" for name, each in value.items() if each is not None)
        case list() | tuple():
            return ", ".join(cell(each) for each in value)
        case _:
            return escape(one_line(str(value)))


def chosen_profile(api: str | None, site: str | None) -> tuple[Path, Profile]:
    """Where the profile is, and what it says with these options; raises ConfigError."""
    path = profile_path()
    return path, load_profile(path, api=api, site=site)


def renewed(profile: Profile) -> Callable[[Tokens], Tokens]:
    """How tokens are renewed: the identity provider is not even loaded before it must be asked."""

    def renew(tokens: Tokens) -> Tokens:
        from agent.office.signin import Provider

        with closing(Provider(profile, time.time)) as provider:
            return provider.renew(tokens)

    return renew


@contextmanager
def installed() -> Iterator[None]:
    """Say how to get what is not installed; raises OfficeError."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise OfficeError(f"{error.name} is not installed: pip install 'cardea-access[operator]'") from error


@contextmanager
def exits(*, as_json: bool) -> Iterator[None]:
    """End with one clear line and the exit code that belongs to an error; a rejected change is shown, too."""
    try:
        yield
    except (Rejected, Unfinished) as error:
        if as_json:
            print_json(error.request)
        fail(str(error))
    except OfficeError as error:
        fail(str(error), next((code for kind, code in _EXIT.items() if isinstance(error, kind)), Exit.FAILED))


def on_a_terminal() -> bool:
    """Whether somebody is there who can be asked."""
    return sys.stdin.isatty()


@contextmanager
def _opened(api: str | None, site: str | None) -> Iterator["Api"]:
    path, profile = chosen_profile(api, site)
    problems = [
        Problem(name, f"is missing: give --{name}, ${variable}, or write it into {path}")
        for name, value, variable in (("api", profile.api, "CARDEA_API"), ("site", profile.site, "CARDEA_SITE"))
        if value is None
    ]
    if problems or profile.api is None or profile.site is None:
        raise ConfigError(str(path), problems)
    with installed():
        from agent.office.api import Api
    opened = Api(profile.api, profile.site, _tokens(path, profile), time.sleep)
    try:
        yield opened
    finally:
        opened.close()


def _tokens(path: Path, profile: Profile) -> TokenSource:
    token = os.environ.get("CARDEA_TOKEN")
    if token:
        return FixedToken(token)
    signed_in_for = load_profile(path, environment={}).api
    if signed_in_for is not None and signed_in_for != profile.api:
        raise NotSignedIn(
            f"the sign-in is for {signed_in_for}, not for {profile.api}: take a profile of its own ($CARDEA_PROFILE)"
        )
    return KeptTokens(token_path(path), profile.client_id, renewed(profile), time.time)


def _patience(options: dict[str, Any]) -> "Patience | None":
    from agent.office.changes import Patience

    limit_s, at_once = options.pop("wait_s", WAIT_S), options.pop("no_wait", False)
    return None if at_once else Patience(limit_s, time.monotonic, time.sleep)
