"""The rules of publishing an allow-list, pure: what changed, whether it looks like an accident, when to snapshot."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cloud.contract.allowlist import MAX_RIGHTS_BYTES, Change, Head
from cloud.contract.canonical import canonical_bytes
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import parse_item
from cloud.contract.items import Kind

ItemKey = tuple[str, str]
"""Kind and id of an item."""
Items = Mapping[ItemKey, Mapping[str, Any]]
"""A whole list: its items in wire form, by kind and id."""

SHRINK_PART: Final = 5
"""More than one card in so many may only go if the change is said to be meant. Doors apply the same rule."""


def index(documents: Iterable[Mapping[str, Any]]) -> dict[ItemKey, Mapping[str, Any]]:
    """A list from its items in wire form; raises ContractError for one that is malformed or there twice."""
    items: dict[ItemKey, Mapping[str, Any]] = {}
    for document in documents:
        key = check(document)
        if key in items:
            raise ContractError(f"{key[0]} {key[1]!r} is there twice")
        items[key] = document
    return items


def check(document: Mapping[str, Any]) -> ItemKey:
    """The kind and id of an item in wire form; raises ContractError for a malformed one. No door gets to see those."""
    parse_item(document)
    return document["kind"], document["id"]


def difference(before: Items, after: Items) -> tuple[Change, ...]:
    """The changes that lead from one list to another, in an order that depends on nothing else."""
    return tuple(
        Change(kind=key[0], id=key[1], item=after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    )


def applied(before: Items, changes: Iterable[Change]) -> dict[ItemKey, Mapping[str, Any]]:
    """The list that changes lead to; raises ContractError when one deletes what is not there."""
    items = dict(before)
    for change in changes:
        key = (change.kind, change.id)
        if change.item is not None:
            items[key] = change.item
        elif items.pop(key, None) is None:
            raise ContractError(f"{change.kind} {change.id!r} is not there to be deleted")
    return items


def check_rights(items: Items) -> None:
    """Raise ContractError when groups, schedules, holidays, doors and areas are more than a door can hold in memory."""
    size = sum(len(canonical_bytes(item)) for (kind, _), item in items.items() if kind not in (Kind.CARD, Kind.PERSON))
    if size > MAX_RIGHTS_BYTES:
        raise ContractError(f"groups, schedules, holidays, doors and areas: {size} bytes, {MAX_RIGHTS_BYTES} fit")


def cards(items: Items) -> int:
    """Number of cards."""
    return sum(kind == Kind.CARD for kind, _ in items)


def cards_removed(before: Items, after: Items) -> int:
    """Number of cards that are no longer there; one whose status changed still is."""
    return sum(kind == Kind.CARD and (kind, name) not in after for kind, name in before)


def shrinks_too_much(before: Items, after: Items) -> bool:
    """Whether so many cards go that it looks like an accident."""
    return cards_removed(before, after) * SHRINK_PART > cards(before)


def dangling(items: Items) -> tuple[str, ...]:
    """What the items name that is not there, in words: such a right or validity would silently be none."""
    problems = []
    for (kind, name), document in sorted(items.items()):
        for other_kind, other in _references(kind, document):
            if (other_kind, other) not in items:
                problems.append(f"{kind} {name!r} names {other_kind} {other!r}, which is not there")
    return tuple(problems)


def _references(kind: str, document: Mapping[str, Any]) -> Iterable[ItemKey]:
    named: list[tuple[Kind, str | None]] = []
    match kind:
        case Kind.CARD:
            named = [(Kind.PERSON, document["person"])]
        case Kind.PERSON:
            named = [
                (Kind.GROUP, each if isinstance(each, str) else each["group"]) for each in document.get("groups", ())
            ]
        case Kind.GROUP:
            for grant in document.get("grants", ()):
                named += [(Kind.DOOR, grant["door"]), (Kind.SCHEDULE, grant.get("schedule"))]
        case Kind.SCHEDULE:
            named = [(Kind.HOLIDAYS, document.get("holidays"))]
        case Kind.DOOR:
            named = [(Kind.AREA, document.get("inside")), (Kind.AREA, document.get("outside"))]
    return [(other_kind.value, other) for other_kind, other in named if other is not None]


def next_epoch(head: Head | None, now_s: int) -> int:
    """The number of a new epoch: the time, so that it is higher than before even where the table was lost."""
    return max(now_s, head.epoch + 1 if head else 1)


def snapshot_due(head: Head, every: int) -> bool:
    """Whether so many versions have passed since the last snapshot that a fresh door should be spared the deltas."""
    return head.version - head.snapshot_version >= every


def oldest_kept(head: Head, keep: int) -> int:
    """The lowest version whose delta is kept, once there is a snapshot of the head's version."""
    return max(head.oldest_delta, head.version - keep + 1)
