"""Which person belongs to which group, and when. Lies in the person's item, which alone becomes their list item."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cloud.domain.payloads import EndPermission, GrantPermission
from cloud.domain.rules.cards import refuse_inactive
from cloud.domain.rules.draft import Asked, Draft, Refused, Steps
from cloud.domain.rules.entities import Permission, Person
from cloud.domain.rules.place_entities import Group

Summary = Mapping[str, Any]

MAX_PERMISSIONS: Final = 50
"""Of one person; the doors walk over them at every tap."""


def grant(draft: Draft, asked: Asked, content: GrantPermission) -> Steps[Summary]:
    """A person belongs to a group. What is over of theirs is cleared away with it."""
    person = yield from draft.known(Person, content.person)
    yield from draft.known(Group, content.group)
    refuse_inactive(person)
    if content.valid_until is not None and content.valid_until <= asked.now:
        raise Refused("permission_over", "valid_until is over already.")
    kept = tuple(held for held in person.permissions if not held.over(asked.now))
    for held in kept:
        if held.group == content.group and held.covers(content.valid_from, content.valid_until, asked.now):
            raise Refused("permission_exists", f"Permission {held.permission} gives {person.person} as much already.")
    given = Permission(asked.request, content.group, asked.subject, content.valid_from, content.valid_until)
    draft.put(with_permissions(person, (*kept, given)))
    return {"permission": given.permission, "person": person.person, "group": given.group}


def with_permissions(person: Person, permissions: tuple[Permission, ...]) -> Person:
    """The person with these permissions; refuses more than fit."""
    if len(permissions) > MAX_PERMISSIONS:
        raise Refused("too_many_permissions", f"Person {person.person} would have more than {MAX_PERMISSIONS}.")
    return replace(person, permissions=permissions)


def end(draft: Draft, asked: Asked, content: EndPermission) -> Steps[Summary]:
    """A permission ends now, or at a later time; never later than it would have ended anyway."""
    person = yield from draft.known(Person, content.person)
    held = next((each for each in person.permissions if each.permission == content.permission), None)
    if held is None:
        raise Refused("permission_unknown", f"Person {person.person} has no permission {content.permission}.")
    until = asked.now if content.at is None else min(content.at, held.valid_until or content.at)
    over = until <= max(asked.now, held.valid_from or "")
    changed = () if over else (replace(held, valid_until=until),)
    others = person.permissions
    place = others.index(held)
    draft.put(replace(person, permissions=(*others[:place], *changed, *others[place + 1 :])))
    return {
        "permission": held.permission,
        "person": person.person,
        "group": held.group,
        "ends": asked.now if over else until,
    }
