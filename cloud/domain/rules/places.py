"""Buildings, areas, doors, groups, schedules and holidays: put as they are to be, and removed when nothing names them.

What they name must be there. How often each is named is counted by the draft, and what a request newly names or no
longer names is bounded, because each is part of its transaction: a group of more doors grows in several requests.
A place knows when it was asked to be as it is, and that is kept of one that was removed too: an older request that
comes late changes neither.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import parse_item
from cloud.domain import keys
from cloud.domain.payloads import (
    PutArea,
    PutBuilding,
    PutDoor,
    PutGroup,
    PutHolidays,
    PutSchedule,
    RemovePlace,
)
from cloud.domain.rules import listing
from cloud.domain.rules.draft import Asked, Draft, Refused, Steps, refuse_overtaken
from cloud.domain.rules.entity import Place, Reference
from cloud.domain.rules.place_entities import Area, Building, Door, Grant, Group, Holidays, Schedule, Window

Summary = Mapping[str, Any]

MAX_CHANGED_REFERENCES: Final = 80
"""Of one request: so many may be newly named or named no longer."""


def put_building(draft: Draft, asked: Asked, content: PutBuilding) -> Steps[Summary]:
    """A building is as this says."""
    return (yield from _put(draft, asked, Building(content.building, content.name)))


def put_area(draft: Draft, asked: Asked, content: PutArea) -> Steps[Summary]:
    """An area is as this says."""
    return (yield from _put(draft, asked, Area(content.area, content.name, content.building, content.anti_passback)))


def put_door(draft: Draft, asked: Asked, content: PutDoor) -> Steps[Summary]:
    """A door is as this says."""
    door = Door(content.door, content.name, content.building, content.mode, content.inside, content.outside)
    return (yield from _put(draft, asked, door))


def put_group(draft: Draft, asked: Asked, content: PutGroup) -> Steps[Summary]:
    """A group is as this says; a grant that is there twice is one."""
    grants = tuple(dict.fromkeys(Grant(grant.door, grant.schedule) for grant in content.grants))
    return (yield from _put(draft, asked, Group(content.group, content.name, grants)))


def put_schedule(draft: Draft, asked: Asked, content: PutSchedule) -> Steps[Summary]:
    """A schedule is as this says, in a zone that exists and with windows that a door can read."""
    windows = tuple(Window(tuple(each.days), each.start, each.end) for each in content.windows)
    schedule = Schedule(content.schedule, content.name, content.zone, windows, content.holidays)
    try:
        # The calendar is checked with all that is named.
        parse_item(listing.document(replace(schedule, holidays=None)))
    except ContractError as error:
        raise Refused("schedule_invalid", f"No door could read this: {error}.") from None
    return (yield from _put(draft, asked, schedule))


def put_holidays(draft: Draft, asked: Asked, content: PutHolidays) -> Steps[Summary]:
    """A calendar is as this says, of days that exist; a day that is there twice is one."""
    for day in content.dates:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise Refused("date_invalid", f"There is no day {day}.") from None
    return (yield from _put(draft, asked, Holidays(content.holidays, content.name, tuple(sorted(set(content.dates))))))


def remove(kind: type[Place], draft: Draft, asked: Asked, content: RemovePlace) -> Steps[Summary]:
    """Something goes that nothing names any more."""
    place = yield from draft.known(kind, content.id)
    refuse_overtaken(asked, kind, place.id, place.changed_at)
    if place.uses:
        raise Refused("place_in_use", f"The {kind.NAME} {content.id} is named by {place.uses} others.")
    draft.remove(place)
    key = keys.removed(draft.site, kind.NAME, place.id)
    draft.put_fields(key, (yield key), {kind.NAME: place.id, "changed_at": asked.at})
    return {kind.NAME: content.id, "status": "removed"}


def _put(draft: Draft, asked: Asked, place: Place) -> Steps[Summary]:
    before = yield from draft.find(type(place), place.id)
    if before is None:
        removed = yield keys.removed(draft.site, place.NAME, place.id)
        changed_at = "" if removed is None else str(removed["changed_at"])
    else:
        changed_at = before.changed_at
    refuse_overtaken(asked, type(place), place.id, changed_at)
    yield from check_references(draft, () if before is None else before.references(), place.references())
    draft.put(replace(place, uses=0 if before is None else before.uses, changed_at=asked.at))
    return {place.NAME: place.id, "status": "added" if before is None else "changed"}


def check_references(draft: Draft, before: tuple[Reference, ...], after: tuple[Reference, ...]) -> Steps[None]:
    """Refuse what newly names something that is not there, and more of it than one transaction takes."""
    old, new = set(before), set(after)
    if len(old ^ new) > MAX_CHANGED_REFERENCES:
        raise Refused(
            "too_many_references",
            f"{len(old ^ new)} things are newly named or named no longer; {MAX_CHANGED_REFERENCES} can be in one step.",
        )
    for kind, name in after:
        if (kind, name) not in old:
            yield from draft.known(kind, name)
