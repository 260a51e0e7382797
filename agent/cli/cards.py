"""`cardea cards`: cards from the box to the shredder. A card is named by its id, or by the number that readers show."""

from collections.abc import Callable
from typing import Any, Final

import click

from agent.cli.office import (
    Desk,
    change_command,
    given,
    limit_option,
    note_option,
    office_command,
    validity_options,
)
from agent.cli.office_cards import card_named, many_numbers, one_number, which_card
from agent.office.errors import BadInput

_STATUSES: Final = ("unissued", "issued", "lost", "stolen", "expired", "revoked", "returned", "destroyed")
_COLUMNS: Final = ("card", "label", "status", "person", "valid_from", "valid_until", "changed_at")
_AT_ONCE: Final = 50
"""The most cards that the service registers with one request."""


@click.group()
def cards() -> None:
    """Cards: register, issue, take back, block, replace.

    \b
    Example:
      cardea cards issue --to p-1001 --uid -
      cardea cards lost --uid 04A1C3D2E45F80
    """


@cards.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only cards in this state.")
@limit_option
@office_command
def list_cards(desk: Desk, status: str | None, limit: int | None) -> None:
    """List cards.

    \b
    Example:
      cardea cards list --status lost
    """
    desk.show_rows(desk.api.pages("cards", most=limit, status=status), *_COLUMNS)


@cards.command("show")
@which_card
@office_command
def show_card(desk: Desk, card: str | None, uid: str | None) -> None:
    """Show a card, and who holds it.

    \b
    Example:
      cardea cards show --uid 04A1C3D2E45F80
    """
    desk.show_one(desk.api.get("cards", card_named(desk, card, uid)))


@cards.command("register")
@click.argument("card", nargs=-1)
@click.option("--uid", "uids", multiple=True, metavar="NUMBER", help="Number of a card; - reads many, a line each.")
@click.option("--label", help="What is printed on the card; for one card only.")
@change_command
def register(desk: Desk, card: tuple[str, ...], uids: tuple[str, ...], label: str | None) -> None:
    """Take new cards into the pool, unissued.

    \b
    Example:
      cardea cards register --label 1001 --uid 04A1C3D2E45F80
      cardea cards register --uid - < numbers.txt
    """
    fresh: list[dict[str, Any]] = [{"card": each} for each in card]
    if uids or not card:
        fresh += [{"uid": number} for number in many_numbers(uids)]
    if label is not None and len(fresh) != 1:
        raise BadInput(f"--label is for one card, and {len(fresh)} are given")
    if label is not None:
        fresh[0]["label"] = label
    for begin in range(0, len(fresh), _AT_ONCE):
        batch = fresh[begin : begin + _AT_ONCE]
        desk.change(f"{len(batch)} card(s) registered", "POST", "cards", body={"cards": batch})


def _issue(
    desk: Desk,
    card: str | None,
    uid: str | None,
    person: str,
    building: str | None,
    complete_onboarding: bool,
    since: str | None,
    until: str | None,
    note: str | None,
) -> None:
    """Hand a card to a person; what they held before is revoked in the same step.

    \b
    Example:
      cardea cards issue --to p-1001 --uid 04A1C3D2E45F80
      cardea cards issue 5f2c0a8e9b1d4c7f8a6b3e2d1c0f9a8b --to p-1001 --complete-onboarding
    """
    if card is not None and uid is not None:
        raise BadInput("give the id of the card or its number, not both")
    body = given(person=person, building=building, valid_from=since, valid_until=until, note=note)
    if complete_onboarding:
        body["complete_onboarding"] = True
    if card is not None:
        desk.change(f"card {card} issued to {person}", "POST", "cards", card, "issue", body=body)
    else:
        body["uid"] = one_number(uid)
        desk.change(f"the card is issued to {person}", "POST", "cards", "issue", body=body)


def _issue_command(name: str) -> None:
    made: Any = change_command(_issue)
    made = note_option(validity_options(made))
    made = click.option("--complete-onboarding", is_flag=True, help="The person becomes active with it.")(made)
    made = click.option("--building", help="Where both are now: the person counts as inside.")(made)
    made = click.option("--to", "person", required=True, metavar="PERSON", help="Who gets it.")(made)
    cards.command(name)(which_card(made))


_issue_command("issue")
_issue_command("link")


def _verb(name: str, path: str, done: str, what: str, why: str = "") -> None:
    """A command that does one thing with a card."""

    def act(desk: Desk, card: str | None, uid: str | None, note: str | None) -> None:
        named = card_named(desk, card, uid)
        desk.change(f"card {named} {done}", "POST", "cards", named, path, body=given(note=note))

    act.__doc__ = f"{what}{why}\n\n    \b\n    Example:\n      cardea cards {name} --uid 04A1C3D2E45F80\n    "
    command: Callable[..., Any] = which_card(note_option(change_command(act)))
    cards.command(name)(command)


_verb("return", "return", "returned", "Take a card back from its holder.")
_verb("lost", "report-lost", "reported lost", "Report a card lost: from then on it opens nothing.")
_verb("stolen", "report-stolen", "reported stolen", "Report a card stolen: from then on it opens nothing.")
_verb("revoke", "revoke", "revoked", "Revoke a card for good.")
_verb("expire", "expire", "expired", "Let a card expire now.")
_verb("destroy", "destroy", "destroyed", "Say that a card was destroyed.")
_verb("reactivate", "reactivate", "reactivated", "Let a card that was found or expired work again.")


@cards.command("replace")
@which_card
@click.option("--by", metavar="CARD", help="The new card, by its id.")
@click.option("--by-uid", metavar="NUMBER", help="The new card, by its number; asked for unless given.")
@click.option("--reason", type=click.Choice(["lost", "stolen", "revoked"]), default="revoked", show_default=True)
@note_option
@change_command
def replace_card(
    desk: Desk,
    card: str | None,
    uid: str | None,
    by: str | None,
    by_uid: str | None,
    reason: str,
    note: str | None,
) -> None:
    """Give a person another card for one that never works again.

    \b
    Example:
      cardea cards replace --uid 04A1C3D2E45F80 --by-uid 04B2184A6C7F81 --reason lost
    """
    if by is not None and by_uid is not None:
        raise BadInput("give the id of the new card or its number, not both")
    old = card_named(desk, card, uid)
    new = {"by": by} if by is not None else {"by_uid": one_number(by_uid)}
    desk.change(
        f"card {old} replaced", "POST", "cards", old, "replace", body={**new, **given(reason=reason, note=note)}
    )
