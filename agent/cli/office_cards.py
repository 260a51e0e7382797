"""Which card a command is about: its id, or its number from an option, a pipe or a prompt. No number is kept."""

import sys
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import click

from agent.cli.office import Desk, on_a_terminal
from agent.office.cardnumber import card_number
from agent.office.errors import BadInput

P = ParamSpec("P")
R = TypeVar("R")

STDIN: Final = "-"
_UID_HELP: Final = (
    "Its number as a reader shows it, in hex; - reads it from stdin. An option stays in a shell's history."
)


def which_card(command: Callable[P, R]) -> Callable[P, R]:
    """The argument CARD and the option --uid; with neither, the number is asked for."""
    command = click.option("--uid", metavar="NUMBER", help=_UID_HELP)(command)
    return click.argument("card", required=False)(command)


def card_named(desk: Desk, card: str | None, uid: str | None) -> str:
    """The id of the card that is meant; raises BadInput, and what the API raises for a number that it does not know."""
    if card is not None and uid is not None:
        raise BadInput("give the id of the card or its number, not both")
    if card is not None:
        return card
    found = desk.api.ask("cards", "lookup", body={"uid": one_number(uid)})
    return str(found["card"])


def one_number(uid: str | None) -> str:
    """A card's number: as given, from stdin for `-`, else asked for; raises BadInput."""
    if uid is not None and uid != STDIN:
        return card_number(uid)
    if uid is None and on_a_terminal():
        return card_number(click.prompt("Card number", err=True))
    return card_number(sys.stdin.readline())


def many_numbers(uids: tuple[str, ...]) -> list[str]:
    """Card numbers: as given, and for `-` or where none is given those of stdin, one per line; raises BadInput."""
    if not uids and on_a_terminal():
        return [one_number(None)]
    given = [uid for uid in uids if uid != STDIN]
    piped = (
        [line for line in sys.stdin.read().split("\n") if line.strip()] if len(given) < len(uids) or not uids else []
    )
    numbers = []
    for place, text in enumerate([*given, *piped], 1):
        try:
            numbers.append(card_number(text))
        except BadInput as error:
            raise BadInput(f"number {place}: {error}") from None
    return list(dict.fromkeys(numbers))
