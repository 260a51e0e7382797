"""What happens to cards: registered, handed out, given back, blocked, replaced.

At most one issued card per person, and the person's item says which: whoever gets another one has the first revoked in
the same step.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloud.domain import keys
from cloud.domain.payloads import CardChange, IssueCard, RegisterCards, ReplaceCard, RequestType
from cloud.domain.presence import issued_fact, merged
from cloud.domain.rules.card_states import BLOCKING, HELD_BACK, MOVES, needs_later
from cloud.domain.rules.draft import Asked, Draft, Refused, Steps
from cloud.domain.rules.entities import Card, CardState, Person, PersonStatus
from cloud.domain.rules.place_entities import Building

Summary = Mapping[str, Any]


def register(draft: Draft, asked: Asked, content: RegisterCards) -> Steps[Summary]:
    """New cards enter the pool, all or none."""
    for new in content.cards:
        if (yield from draft.find(Card, new.card)) is not None:
            raise Refused("card_already_registered", f"Card {new.card} is registered already, or named twice.")
        draft.put(Card(new.card, CardState.UNISSUED, changed_at=asked.at, label=new.label))
    return {"registered": len(content.cards)}


def issue(draft: Draft, asked: Asked, content: IssueCard) -> Steps[Summary]:
    """A card is handed to a person, who may complete their onboarding with it."""
    card = yield from draft.known(Card, content.card)
    person = yield from draft.known(Person, content.person)
    if content.building is not None:
        yield from draft.known(Building, content.building)
        yield from _enter(draft, asked, content.person, content.building)
    if content.complete_onboarding and person.status is PersonStatus.ONBOARDING:
        person = replace(person, status=PersonStatus.ACTIVE, status_at=asked.at)
    validity = replace(card, valid_from=content.valid_from, valid_until=content.valid_until)
    revoked = yield from hand_over(draft, asked, validity, person)
    return {
        "card": content.card,
        "status": CardState.ISSUED.value,
        "person": content.person,
        "person_status": person.status.value,
        "revoked": revoked,
    }


def hand_over(draft: Draft, asked: Asked, card: Card, person: Person) -> Steps[list[str]]:
    """Issue a card, which carries its new validity, to a person; returns the cards that this revoked."""
    refuse_inactive(person)
    moved = move(card, RequestType.CARD_ISSUE, asked)
    for held in person.cards:
        yield from _block(draft, asked, held, RequestType.CARD_REVOKE)
    draft.put(replace(moved, person=person.person))
    draft.put(replace(person, cards=(card.card,)))
    return list(person.cards)


def change(kind: RequestType, draft: Draft, asked: Asked, content: CardChange) -> Steps[Summary]:
    """A card is given back, blocked or over: whoever held it no longer holds it, and stays named for the audit."""
    card = yield from draft.known(Card, content.card)
    moved = move(card, kind, asked)
    yield from _take_away(draft, card, moved)
    return {"card": card.card, "status": moved.status.value, "person": card.person}


def reactivate(draft: Draft, asked: Asked, content: CardChange) -> Steps[Summary]:
    """A card that was lost or over works again, for whom it worked before and for nobody else."""
    card = yield from draft.known(Card, content.card)
    moved = move(card, RequestType.CARD_REACTIVATE, asked)
    if moved != card:
        if card.person is None:
            raise Refused("card_never_issued", f"Card {card.card} was never issued.")
        person = yield from draft.named(Person, card.person)
        refuse_inactive(person)
        if person.cards:
            raise Refused("person_holds_another_card", f"Person {person.person} holds another card by now.")
        if card.valid_until is not None and card.valid_until <= asked.now:
            raise Refused("card_validity_over", f"The validity of card {card.card} is over; issue it anew.")
        draft.put(moved)
        draft.put(replace(person, cards=(card.card,)))
    return {"card": card.card, "status": moved.status.value, "person": card.person}


def replace_card(draft: Draft, asked: Asked, content: ReplaceCard) -> Steps[Summary]:
    """A person gets another card, valid as long as the old one, which is blocked for good in the same step."""
    old = yield from draft.known(Card, content.card)
    new = yield from draft.known(Card, content.by)
    if old.person is None or old.status in (CardState.UNISSUED, CardState.RETURNED):
        raise Refused("card_not_issued", f"Card {old.card} is {old.status}: nobody holds it.")
    person = yield from draft.named(Person, old.person)
    if any(held != old.card for held in person.cards):
        raise Refused("person_holds_another_card", f"Person {person.person} holds another card by now.")
    blocked = yield from _block(draft, asked, old.card, _REASONS[content.reason])
    without_old = yield from draft.named(Person, old.person)
    validity = replace(new, valid_from=old.valid_from, valid_until=old.valid_until)
    yield from hand_over(draft, asked, validity, without_old)
    return {
        "card": old.card,
        "status": blocked.status.value,
        "by": new.card,
        "by_status": CardState.ISSUED.value,
        "person": person.person,
    }


_REASONS: Mapping[str, RequestType] = {
    "lost": RequestType.CARD_REPORT_LOST,
    "stolen": RequestType.CARD_REPORT_STOLEN,
    "revoked": RequestType.CARD_REVOKE,
}


def move(card: Card, kind: RequestType, asked: Asked) -> Card:
    """The card after such a request, the same if nothing is left to do; refuses what its state does not allow."""
    status = MOVES[kind].get(card.status)
    if status is None:
        if kind is RequestType.CARD_ISSUE:
            raise Refused(
                "card_not_available", f"Card {card.card} is {card.status}; unissued and returned ones are free."
            )
        raise Refused("card_in_wrong_state", f"Card {card.card} is {card.status}, which does not allow {kind}.")
    if status is card.status:
        # Said once more: what was asked for before this was overtaken by it too.
        return replace(card, changed_at=max(asked.at, card.changed_at)) if status in HELD_BACK else card
    if needs_later(card.status, kind) and asked.at <= card.changed_at:
        raise Refused("card_changed_since", f"Card {card.card} became {card.status} after this was asked for.")
    return replace(card, status=status, changed_at=max(asked.at, card.changed_at))


def _enter(draft: Draft, asked: Asked, person: str, building: str) -> Steps[None]:
    """The person is inside from now on, until a door knows better."""
    key = keys.presence(draft.site, person)
    item = yield key
    fact = issued_fact(building, asked.at, asked.request)
    draft.put_fields(key, item, merged(draft.site, person, item, [fact]))


def refuse_inactive(person: Person) -> None:
    """Nothing that lets someone in is given to a person who is inactive."""
    if person.status is PersonStatus.INACTIVE:
        raise Refused("person_inactive", f"Person {person.person} is inactive.")


def _block(draft: Draft, asked: Asked, name: str, kind: RequestType) -> Steps[Card]:
    assert kind in BLOCKING  # noqa: S101 - of all others a refusal would be possible here
    card = yield from draft.named(Card, name)
    moved = move(card, kind, asked)
    yield from _take_away(draft, card, moved)
    return moved


def _take_away(draft: Draft, card: Card, moved: Card) -> Steps[None]:
    """Write the card, and take it off its holder if it was theirs until now."""
    draft.put(moved)
    if card.status is CardState.ISSUED and moved.status is not CardState.ISSUED and card.person is not None:
        person = yield from draft.named(Person, card.person)
        draft.put(replace(person, cards=tuple(held for held in person.cards if held != card.card)))
