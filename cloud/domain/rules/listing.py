"""What the doors get to know of an entity: its item of the allow-list, in wire form. Must never hold personal data.

A pure function of one entity: so the list can be rebuilt from the table alone, and a change of the list is the
difference of two of these.
"""

from collections.abc import Mapping
from typing import Any, Final

from cloud.contract import items
from cloud.contract.allowlist import Change
from cloud.contract.itemcodec import ITEM_VERSION, instant, item_json
from cloud.domain.rules.entities import Card, CardState, Permission, Person, PersonStatus
from cloud.domain.rules.entity import Entity
from cloud.domain.rules.place_entities import Area, Door, Group, Holidays, Schedule

_STATUS: Final[Mapping[CardState, items.CardStatus]] = {
    CardState.UNISSUED: items.CardStatus.INACTIVE,
    CardState.ISSUED: items.CardStatus.ACTIVE,
    CardState.RETURNED: items.CardStatus.INACTIVE,
    CardState.EXPIRED: items.CardStatus.INACTIVE,
    CardState.LOST: items.CardStatus.LOST,
    CardState.REVOKED: items.CardStatus.REVOKED,
    CardState.STOLEN: items.CardStatus.STOLEN,
    CardState.DESTROYED: items.CardStatus.INACTIVE,
}


def document(entity: Entity | None) -> dict[str, Any] | None:
    """The item of the list; None for what no door knows of: buildings, devices, roles, cards that nobody ever held."""
    match entity:
        case Card(person=str(person)):
            return item_json(
                items.Card(
                    entity.card,
                    person,
                    _STATUS[entity.status],
                    _seconds(entity.valid_from),
                    _seconds(entity.valid_until),
                )
            )
        case Person():
            groups = [membership(permission) for permission in entity.permissions]
            return {
                **_head("person", entity),
                "active": entity.status is PersonStatus.ACTIVE,
                "groups": [group for place, group in enumerate(groups) if group not in groups[:place]],
                **_bounds(entity),
            }
        case Area():
            return item_json(items.Area(entity.area, entity.anti_passback))
        case Door():
            return item_json(items.Door(entity.door, entity.mode, entity.inside, entity.outside))
        case Group():
            grants = tuple(items.Grant(grant.door, grant.schedule) for grant in entity.grants)
            return item_json(items.Group(entity.group, grants))
        case Schedule():
            windows = [{"days": list(each.days), "from": each.start, "to": each.end} for each in entity.windows]
            calendar = {} if entity.holidays is None else {"holidays": entity.holidays}
            return {**_head("schedule", entity), "zone": entity.zone, "windows": windows, **calendar}
        case Holidays():
            return {**_head("holidays", entity), "dates": list(entity.dates)}
    return None


def membership(permission: Permission) -> str | dict[str, str]:
    """How a person's item names a group: by its id, or with the bounds that the permission has."""
    bounds = _bounds(permission)
    return {"group": permission.group, **bounds} if bounds else permission.group


def change(before: Entity | None, after: Entity | None) -> Change | None:
    """What a door must be told when an entity changes; None: nothing."""
    old, new = document(before), document(after)
    if old == new:
        return None
    named = new if new is not None else old
    assert named is not None  # noqa: S101 - they differ, so one of them is there
    return Change(kind=named["kind"], id=named["id"], item=new)


def _head(kind: str, entity: Entity) -> dict[str, Any]:
    return {"v": ITEM_VERSION, "kind": kind, "id": entity.id}


def _bounds(holds: Person | Permission) -> dict[str, str]:
    bounds = {"from": holds.valid_from, "until": holds.valid_until}
    return {name: value for name, value in bounds.items() if value is not None}


def _seconds(text: str | None) -> int | None:
    return None if text is None else instant(text)
