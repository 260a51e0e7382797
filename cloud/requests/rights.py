"""Holds the groups, schedules, doors and areas of a site to what a door can keep in its memory.

A door refuses a list that is more than that, and would hear of no revocation any more. So a change that would lead
there is refused before it happens.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from cloud.contract.allowlist import MAX_RIGHTS_BYTES, Change
from cloud.contract.canonical import canonical_bytes
from cloud.contract.items import Kind
from cloud.domain.outcome import Item, Rejected
from cloud.domain.rules.listing import document
from cloud.domain.rules.place_entities import Area, Door, Group, Holidays, Schedule

LIMIT_BYTES: Final = MAX_RIGHTS_BYTES * 9 // 10
"""Below what a door takes: changes that are made at the same instant do not see each other."""
_KINDS: Final = {each.NAME.upper(): each for each in (Area, Door, Group, Schedule, Holidays)}


def concerns(changes: Iterable[Change]) -> bool:
    """Whether any of these is kept in every door's memory."""
    return any(change.kind not in (Kind.CARD, Kind.PERSON) for change in changes)


def refusal(items: Iterable[Item], changes: Sequence[Change], limit_bytes: int = LIMIT_BYTES) -> Rejected | None:
    """Why changes can't be made, given all that lies at the site's key; None when they can."""
    changed = {(change.kind, change.id): change.item for change in changes}
    sizes = [len(canonical_bytes(item)) for item in changed.values() if item is not None]
    for item in items:
        kind = _KINDS.get(str(item["sk"]).partition("#")[0])
        listed = None if kind is None else document(kind.of(item))
        if listed is not None and (listed["kind"], listed["id"]) not in changed:
            sizes.append(len(canonical_bytes(listed)))
    if sum(sizes) <= limit_bytes:
        return None
    return Rejected(
        "too_many_rights",
        f"Groups, schedules, doors, areas and holidays would come to {sum(sizes)} bytes; doors keep {limit_bytes}.",
    )
