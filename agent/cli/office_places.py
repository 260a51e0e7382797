"""What every kind of place has: `list`, `show` and `remove`, and a `put` that keeps what it is not told to change."""

from collections.abc import Callable
from typing import Any

import click

from agent.cli.office import Desk, change_command, limit_option, office_command
from agent.office.errors import BadInput, Refused


def add_place_commands(group: click.Group, kind: str, plural: str, *columns: str) -> None:
    """Add `list`, `show` and `remove` of a kind, such as door and doors."""

    def list_places(desk: Desk, limit: int | None) -> None:
        desk.show_rows(desk.api.pages(plural, most=limit), *columns)

    def show_place(desk: Desk, place: str) -> None:
        desk.show_one(desk.api.get(plural, place))

    def remove_place(desk: Desk, place: str) -> None:
        desk.change(f"{kind} {place} removed", "DELETE", plural, place)

    _add(group, "list", limit_option(office_command(_told(list_places, f"List {plural} by id.", f"{plural} list"))))
    shown = office_command(_told(show_place, f"Show one of the {plural}.", f"{plural} show ID"))
    _add(group, "show", _named(shown))
    removed = _told(remove_place, "Remove what nothing names any more.", f"{plural} remove ID")
    _add(group, "remove", _named(change_command(removed)))


def put_place(
    desk: Desk, kind: str, plural: str, place: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Put a place as `change` makes it of what it is now; of nothing, if it is new. Raises BadInput without a name."""
    try:
        before = desk.api.get(plural, place)
    except Refused as refused:
        if refused.kind != f"{kind}-unknown":
            raise
        before = {}
    after = change({name: value for name, value in before.items() if name != kind and value is not None})
    if "name" not in after:
        raise BadInput(f"{kind} {place} is new and needs a --name")
    desk.change(f"{kind} {place} {'changed' if before else 'made'}", "PUT", plural, place, body=after)


def changed(now: dict[str, Any], fields: dict[str, Any], clear: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a place with those that are given, and without those that are cleared; raises BadInput for both."""
    for name in clear:
        if fields.get(name) is not None:
            raise BadInput(f"--{name} is given and cleared")
    given = {name: value for name, value in fields.items() if value is not None}
    return {name: value for name, value in {**now, **given}.items() if name not in clear}


def clear_option(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option --clear, for these fields."""
    return click.option("--clear", multiple=True, type=click.Choice(list(names)), help="Take this away.")


def _told(command: Callable[..., None], what: str, example: str) -> Callable[..., None]:
    command.__doc__ = f"{what}\n\n    \b\n    Example:\n      cardea {example}\n    "
    return command


def _named(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("place", metavar="ID")(command)


def _add(group: click.Group, name: str, command: Callable[..., Any]) -> None:
    group.command(name)(command)
