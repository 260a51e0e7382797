"""People from a file, many at once: in steps of a few rows, each of which is one transaction.

A row can be applied again and changes nothing then, so that a file can be run again, and a step be delivered twice. It
never brings back what somebody blocked: neither a person who was deactivated nor a card that was reported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cloud.contract.canonical import sha256_hex
from cloud.domain.outcome import Applied
from cloud.domain.payloads import ImportRow
from cloud.domain.rules.cards import hand_over
from cloud.domain.rules.draft import MAX_ITEMS, Asked, Draft, Refused, Steps, refuse_overtaken
from cloud.domain.rules.entities import Card, CardState, Permission, Person, PersonStatus
from cloud.domain.rules.people import in_order
from cloud.domain.rules.permissions import with_permissions
from cloud.domain.rules.place_entities import Group

_ITEMS_OF_ROW: Final = 3
"""The person, the card, and the card that it takes the place of; groups come on top."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row can't be applied."""

    line: int
    column: str
    """Field of ImportRow."""
    detail: str
    """For the person who asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an import, and what is wrong with it whatever lies in the table."""

    chunks: tuple[tuple[ImportRow, ...], ...]
    """Rows without those that have problems; each chunk fits into one transaction, even at the worst."""
    problems: tuple[RowProblem, ...]


def plan(rows: Iterable[ImportRow]) -> Plan:
    """Cut an import into steps. Of rows that name the same person or card the first counts, the others are problems."""
    problems: list[RowProblem] = []
    chunks: list[tuple[ImportRow, ...]] = []
    chunk: list[ImportRow] = []
    groups: set[str] = set()
    people: dict[str, int] = {}
    cards: dict[str, int] = {}
    for row in rows:
        if (problem := _twice(row, people, cards)) is not None:
            problems.append(problem)
            continue
        if chunk and _ITEMS_OF_ROW * (len(chunk) + 1) + len(groups.union(row.groups)) > MAX_ITEMS:
            chunks.append(tuple(chunk))
            chunk, groups = [], set()
        chunk.append(row)
        groups.update(row.groups)
    return Plan((*chunks, tuple(chunk)) if chunk else (), tuple(problems))


def _twice(row: ImportRow, people: dict[str, int], cards: dict[str, int]) -> RowProblem | None:
    """What another row names already; remembers what this one names."""
    if row.person in people:
        return RowProblem(row.line, "person", f"This person is in line {people[row.person]} already.")
    if row.card is not None and row.card in cards:
        return RowProblem(row.line, "card", f"This card is in line {cards[row.card]} already.")
    people[row.person] = row.line
    if row.card is not None:
        cards[row.card] = row.line
    return None


def apply_rows(asked: Asked, rows: Sequence[ImportRow]) -> Steps[tuple[tuple[RowProblem, ...], Applied]]:
    """What a chunk of a plan comes to: the rows that can't be applied, and the transaction of all others."""
    draft = Draft(asked.site)
    problems: tuple[RowProblem, ...] = ()
    for row in rows:
        problems += yield from _apply(draft, asked, row)
    outcome = draft.outcome({"applied": len(rows) - len(problems), "problems": len(problems)})
    if isinstance(outcome, Applied):
        return problems, outcome
    raise ValueError(f"{len(rows)} rows are more than one transaction takes: they are no chunk of a plan")


def _apply(draft: Draft, asked: Asked, row: ImportRow) -> Steps[tuple[RowProblem, ...]]:
    """Apply one row to the draft; one that can't be applied leaves nothing in it and is the answer."""
    column = "person"
    try:
        with draft.attempt():
            person = yield from _person(draft, asked, row)
            column = "valid_until"
            person = in_order(person)
            column = "groups"
            person = yield from _with_groups(draft, asked, person, row.groups)
            draft.put(person)
            if row.card is not None:
                column = "card"
                yield from _give(draft, asked, row.card, person)
    except Refused as refused:
        return (RowProblem(row.line, column, refused.rejected.detail),)
    return ()


def _person(draft: Draft, asked: Asked, row: ImportRow) -> Steps[Person]:
    known = yield from draft.find(Person, row.person)
    status = PersonStatus(row.status)
    if known is None:
        return Person(
            person=row.person,
            name=row.name,
            status=status,
            created_at=asked.at,
            status_at=asked.at,
            email=row.email,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            changed_at=asked.at,
        )
    if known.status is PersonStatus.INACTIVE:
        raise Refused("person_inactive", f"Person {row.person} is inactive; activate them first.")
    given = row.model_dump(include=row.model_fields_set & {"name", "email", "valid_from", "valid_until"})
    if replace(known, **given) != known:
        refuse_overtaken(asked, Person, row.person, known.changed_at)
    given["changed_at"] = max(asked.at, known.changed_at)
    if known.status is PersonStatus.ONBOARDING and status is PersonStatus.ACTIVE:
        given |= {"status": status, "status_at": asked.at}
    return replace(known, **given)


def _with_groups(draft: Draft, asked: Asked, person: Person, names: Sequence[str]) -> Steps[Person]:
    """The person with a permission for each group that they have none of; one with an end keeps its end."""
    permissions = list(person.permissions)
    for name in dict.fromkeys(names):
        if any(held.group == name and not held.over(asked.now) for held in permissions):
            continue
        yield from draft.known(Group, name)
        # What is over must not count against the most that a person may have.
        permissions = [held for held in permissions if held.group != name]
        identifier = sha256_hex(f"{asked.request}/{person.person}/{name}".encode())[:32]
        permissions.append(Permission(identifier, name, asked.subject))
    return with_permissions(person, tuple(permissions))


def _give(draft: Draft, asked: Asked, name: str, person: Person) -> Steps[None]:
    """Issue the card of a row, registered on the way if it is new; nothing if the person holds it already."""
    card = yield from draft.find(Card, name)
    if card is None:
        card = Card(name, CardState.UNISSUED, asked.at)
    elif card.status is CardState.ISSUED and card.person == person.person:
        return
    yield from hand_over(draft, asked, replace(card, valid_from=None, valid_until=None), person)
