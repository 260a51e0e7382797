"""People come, change and go. A person who is inactive is refused at every door, whatever cards they hold."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloud.domain.payloads import CreatePerson, PersonChange, UpdatePerson
from cloud.domain.rules.draft import Asked, Draft, Refused, Steps, refuse_overtaken
from cloud.domain.rules.entities import Person, PersonStatus

Summary = Mapping[str, Any]


def create(draft: Draft, asked: Asked, content: CreatePerson) -> Steps[Summary]:
    """A person becomes known."""
    if (yield from draft.find(Person, content.person)) is not None:
        raise Refused("person_exists", f"There is a person {content.person} already.")
    draft.put(
        Person(
            person=content.person,
            name=content.name,
            status=PersonStatus(content.status),
            created_at=asked.at,
            status_at=asked.at,
            email=content.email,
            valid_from=content.valid_from,
            valid_until=content.valid_until,
            changed_at=asked.at,
        )
    )
    return {"person": content.person, "status": content.status}


def update(draft: Draft, asked: Asked, content: UpdatePerson) -> Steps[Summary]:
    """What is given is changed, null clears it; not if somebody changed the person after this was asked for."""
    person = yield from draft.known(Person, content.person)
    refuse_overtaken(asked, Person, person.person, person.changed_at)
    given = content.model_dump(include=content.model_fields_set - {"person"})
    if given.get("name", person.name) is None:
        raise Refused("name_required", "A person can't be without a name.")
    draft.put(in_order(replace(person, **given, changed_at=asked.at)))
    return {"person": person.person, "changed": sorted(given)}


def in_order(person: Person) -> Person:
    """The person; refuses a validity that ends before it begins, as it may once a new bound meets an old one."""
    if person.valid_from is not None and person.valid_until is not None and person.valid_from >= person.valid_until:
        raise Refused("validity_out_of_order", "valid_until is not after valid_from.")
    return person


def activate(draft: Draft, asked: Asked, content: PersonChange) -> Steps[Summary]:
    """A person is admitted from now on; not if somebody deactivated them after this was asked for."""
    person = yield from draft.known(Person, content.person)
    if person.status is PersonStatus.INACTIVE and asked.at <= person.status_at:
        raise Refused("person_changed_since", f"Person {person.person} was deactivated after this was asked for.")
    return _become(draft, asked, person, PersonStatus.ACTIVE)


def deactivate(draft: Draft, asked: Asked, content: PersonChange) -> Steps[Summary]:
    """A person is refused everywhere from now on. Their cards stay theirs."""
    person = yield from draft.known(Person, content.person)
    return _become(draft, asked, person, PersonStatus.INACTIVE)


def _become(draft: Draft, asked: Asked, person: Person, status: PersonStatus) -> Summary:
    # Said once more, it is said later: what was asked for before was overtaken by this too.
    if person.status is not status or status is PersonStatus.INACTIVE:
        draft.put(replace(person, status=status, status_at=max(asked.at, person.status_at)))
    return {"person": person.person, "status": status.value}
