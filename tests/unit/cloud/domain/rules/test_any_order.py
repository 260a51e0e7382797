"""Any requests in any order, late and repeated: what must hold of the table and the doors' list after each of them."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from cloud.contract.itemcodec import instant_text
from cloud.domain.envelope import Envelope
from cloud.domain.keys import Key, place
from cloud.domain.outcome import Applied
from cloud.domain.payloads import RequestType
from cloud.domain.rules.card_states import BLOCKING
from cloud.domain.rules.entities import Card, CardState, Device, Person, PersonStatus
from cloud.domain.rules.entity import Place
from tests.rigs.entity_store import NOW_S, SITE, EntityStore, card_id

PEOPLE, CARDS = st.sampled_from(["p", "q"]), st.integers(1, 4).map(card_id)
BUILDINGS, AREAS, DOORS = (st.sampled_from([f"{name}1", f"{name}2"]) for name in "bad")
GROUPS, SCHEDULES, HOLIDAYS = st.sampled_from(["g1", "g2"]), st.just("s1"), st.just("h1")
INSTANTS = st.integers(0, 60).map(lambda after_s: instant_text(NOW_S + after_s))
KEYS = st.sampled_from(["a" * 64, "b" * 64])
MODES = st.sampled_from(["normal", "unlocked", "lockdown"])
PLACED = ("put", "remove")
REASONS = st.sampled_from(["lost", "stolen", "revoked"])


def fields(needed: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(needed, optional=optional)


NAME = {"name": st.just("N")}
GRANTS = st.lists(fields({"door": DOORS}, schedule=SCHEDULES), max_size=3)
CARD_REQUESTS = {
    "card.register": fields({"cards": st.lists(fields({"card": CARDS}), min_size=1, max_size=2)}),
    "card.issue": fields(
        {"card": CARDS, "person": PEOPLE}, complete_onboarding=st.booleans(), building=BUILDINGS, valid_until=INSTANTS
    ),
    "card.replace": fields({"card": CARDS, "by": CARDS, "reason": REASONS}),
    **{
        kind.value: fields({"card": CARDS})
        for kind in (*BLOCKING, RequestType.CARD_RETURN, RequestType.CARD_EXPIRE, RequestType.CARD_REACTIVATE)
    },
}
UNDONE = {
    "card.issue": fields({"card": CARDS, "person": PEOPLE}),
    **{kind: CARD_REQUESTS[kind] for kind in ("card.report_lost", "card.reactivate", "card.return")},
}
PEOPLE_REQUESTS = {
    "person.create": fields({"person": PEOPLE, **NAME, "status": st.sampled_from(["onboarding", "active"])}),
    "person.update": fields({"person": PEOPLE}, valid_until=st.none() | INSTANTS),
    "person.activate": fields({"person": PEOPLE}),
    "person.deactivate": fields({"person": PEOPLE}),
    "permission.grant": fields({"person": PEOPLE, "group": GROUPS}, valid_until=INSTANTS),
    "permission.end": fields({"person": PEOPLE, "permission": st.integers(1, 20).map("r{}".format)}, at=INSTANTS),
}
PLACE_REQUESTS = {
    "building.put": fields({"building": BUILDINGS, **NAME}),
    "area.put": fields({"area": AREAS, **NAME}, building=BUILDINGS),
    "door.put": fields({"door": DOORS, **NAME}, building=BUILDINGS, inside=AREAS, outside=AREAS, mode=MODES),
    "group.put": fields({"group": GROUPS, **NAME, "grants": GRANTS}),
    "schedule.put": fields({"schedule": SCHEDULES, **NAME, "zone": st.just("UTC")}, holidays=HOLIDAYS),
    "holidays.put": fields({"holidays": HOLIDAYS, **NAME}),
    "device.register": fields(
        {"device": st.just("c1"), "keys": KEYS.map(lambda key: [key]), "doors": st.lists(DOORS, max_size=2)}
    ),
    "device.retire": fields({"device": st.just("c1")}),
    **{
        f"{kind}.remove": fields({"id": names})
        for kind, names in (
            ("building", BUILDINGS), ("area", AREAS), ("door", DOORS), ("group", GROUPS), ("schedule", SCHEDULES),
            ("holidays", HOLIDAYS),
        )
    },
}  # fmt: skip
ROWS = st.lists(fields({"person": PEOPLE, **NAME}, card=CARDS, groups=st.lists(GROUPS, max_size=2)), max_size=3)


def requests(table: dict[str, st.SearchStrategy[dict[str, Any]]]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.one_of([st.tuples(st.just(kind), payload) for kind, payload in table.items()])


class AnyOrder(RuleBasedStateMachine):
    """Requests are made at one moment, and delivered at another: overtaking each other, and more than once."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.store = EntityStore()
        self.reported: dict[str, str] = {}
        self.deactivated: dict[str, str] = {}
        self.said: dict[Key, str] = {}
        """When the newest request was made that said how a place, a device or a person's details are to be."""

        self.begin()

    def begin(self) -> None:
        """Enough is there for most requests to come to something."""
        for name in ("b1", "b2"):
            self.store.must("building.put", {"building": name, "name": "N"})
        self.store.must("door.put", {"door": "d1", "name": "N"})
        self.store.must("group.put", {"group": "g1", "name": "N", "grants": [{"door": "d1"}]})
        for name in ("p", "q"):
            self.store.must("person.create", {"person": name, "name": "N", "status": "active"})
        self.store.must("card.register", {"cards": [{"card": card_id(number)} for number in (1, 2, 3, 4)]})

    @rule(target=waiting, envelope=consumes(waiting), again=st.booleans())
    def deliver(self, envelope: Envelope, again: bool) -> Any:
        """One of all that was asked for is carried out; it may come once more later."""
        before, details = self.statuses(), self.details()
        if envelope.type is RequestType.PEOPLE_IMPORT:
            bad = {problem.line for problem in self.store.run_import(envelope)}
            said = [Person.key(SITE, row["person"]) for row in envelope.payload["rows"] if row["line"] not in bad]
        else:
            said = self.named(envelope) if isinstance(self.store.carry_out(envelope), Applied) else []
        self.note(envelope)
        self.check_revived(envelope, before)
        self.check_newest(envelope, details)
        self.said |= {key: max(envelope.at, self.said.get(key, "")) for key in said}
        return envelope if again else multiple()

    def note(self, envelope: Envelope) -> None:
        if envelope.type in BLOCKING:
            card = envelope.payload["card"]
            if Card.key(SITE, card) in self.store.items:
                self.reported[card] = max(envelope.at, self.reported.get(card, ""))
        if envelope.type is RequestType.PERSON_DEACTIVATE:
            person = envelope.payload["person"]
            if Person.key(SITE, person) in self.store.items:
                self.deactivated[person] = max(envelope.at, self.deactivated.get(person, ""))

    def statuses(self) -> dict[str, CardState]:
        return {card.card: card.status for card in self.entities(Card)}

    def entities(self, kind: type[Any]) -> list[Any]:
        return [entity for entity in self.store.entities() if isinstance(entity, kind)]

    def details(self) -> dict[Key, Any]:
        """What requests say of places, devices and people; without what others count or add."""
        found: dict[Key, Any] = {}
        for entity in self.store.entities():
            if isinstance(entity, Place):
                found[entity.key(SITE, entity.id)] = replace(entity, uses=0, changed_at="")
            elif isinstance(entity, Device):
                found[entity.key(SITE, entity.id)] = (entity.status, entity.keys, entity.doors)
            elif isinstance(entity, Person):
                bounds = (entity.valid_from, entity.valid_until)
                found[entity.key(SITE, entity.id)] = (entity.name, entity.email, *bounds)
        return found

    def named(self, envelope: Envelope) -> list[Key]:
        """What such a request says how it is to be, wholly or in part."""
        kind, _, verb = envelope.type.value.partition(".")
        if kind == "device" or envelope.type in (RequestType.PERSON_CREATE, RequestType.PERSON_UPDATE):
            return [(Device if kind == "device" else Person).key(SITE, envelope.payload[kind])]
        return [place(SITE, kind, envelope.payload["id" if verb == "remove" else kind])] if verb in PLACED else []

    def check_newest(self, envelope: Envelope, before: dict[Key, Any]) -> None:
        """What was asked for earlier changes nothing of which something was said later."""
        after = self.details()
        for key in before.keys() | after.keys():
            if before.get(key) != after.get(key):
                assert envelope.at >= self.said.get(key, "")

    def check_revived(self, envelope: Envelope, before: dict[str, CardState]) -> None:
        """A card begins to work only out of the pool, or by being reactivated after it was lost or over."""
        for card, status in self.statuses().items():
            held = before.get(card, CardState.UNISSUED)
            if status is CardState.ISSUED and held is not CardState.ISSUED:
                if envelope.type is RequestType.CARD_REACTIVATE:
                    assert held in (CardState.LOST, CardState.EXPIRED)
                else:
                    assert held in (CardState.UNISSUED, CardState.RETURNED)

    @invariant()
    def each_person_holds_what_is_issued_to_them(self) -> None:
        """At most one card works for a person, and the person's item says which."""
        issued: dict[str, list[str]] = {}
        for card in self.entities(Card):
            if card.status is CardState.ISSUED:
                issued.setdefault(card.person, []).append(card.card)
        assert all(len(cards) == 1 for cards in issued.values())
        assert {person.person: list(person.cards) for person in self.entities(Person) if person.cards} == issued

    @invariant()
    def uses_are_what_names(self) -> None:
        """Counts are exact, and nothing names what is not there."""
        named = Counter(kind.key(SITE, name) for entity in self.store.entities() for kind, name in entity.references())
        there = {type(place).key(SITE, place.id): place.uses for place in self.entities(Place)}
        assert named == Counter({key: uses for key, uses in there.items() if uses})

    @invariant()
    def list_is_that_of_the_table(self) -> None:
        """The list that the doors followed change by change is the one that the table says."""
        assert self.store.listed == self.store.rebuilt()

    @invariant()
    def reported_cards_work_only_by_what_was_asked_later(self) -> None:
        """However requests overtook each other: who is admitted was let in after they were last shut out."""
        for card in self.entities(Card):
            if card.status is CardState.ISSUED:
                assert card.changed_at > self.reported.get(card.card, "")
        for person in self.entities(Person):
            if person.status is not PersonStatus.INACTIVE:
                assert person.status_at > self.deactivated.get(person.person, "")


class CardsInAnyOrder(AnyOrder):
    """What happens to few cards of few people, so that requests meet.

    Most of it is what can be undone: blocked for good, the cards would soon be through.
    """

    def begin(self) -> None:
        """Each has a card."""
        super().begin()
        for card, person in ((1, "p"), (2, "q")):
            self.store.must("card.issue", {"card": card_id(card), "person": person})

    @rule(target=AnyOrder.waiting, request=requests(UNDONE))
    def make(self, request: tuple[str, dict[str, Any]]) -> Envelope:
        """Somebody asks for something, and it is under way for a while."""
        return self.store.envelope(*request)

    @rule(target=AnyOrder.waiting, request=requests(UNDONE))
    def ask(self, request: tuple[str, dict[str, Any]]) -> Envelope:
        """Something is asked for and carried out at once, and the word of it comes once more later."""
        envelope = self.store.envelope(*request)
        self.deliver(envelope, again=True)
        return envelope

    @rule(target=AnyOrder.waiting, request=requests(CARD_REQUESTS))
    def make_any(self, request: tuple[str, dict[str, Any]]) -> Envelope:
        """Anything that can be asked for of a card."""
        return self.store.envelope(*request)

    @rule(target=AnyOrder.waiting, kind=st.sampled_from(["person.activate", "person.deactivate"]), person=PEOPLE)
    def come_and_go(self, kind: str, person: str) -> Envelope:
        """A person is shut out or let in again."""
        return self.store.envelope(kind, {"person": person})


class PeopleAndPlacesInAnyOrder(AnyOrder):
    """People, permissions, imports and places: what names what."""

    @rule(target=AnyOrder.waiting, request=requests(PEOPLE_REQUESTS) | requests(PLACE_REQUESTS))
    def make(self, request: tuple[str, dict[str, Any]]) -> Envelope:
        """Somebody asks for something, and it is under way for a while."""
        return self.store.envelope(*request)

    @rule(request=requests(PEOPLE_REQUESTS) | requests(PLACE_REQUESTS))
    def ask(self, request: tuple[str, dict[str, Any]]) -> None:
        """Something is asked for and carried out at once."""
        self.deliver(self.store.envelope(*request), again=False)

    @rule(target=AnyOrder.waiting, rows=ROWS.filter(bool))
    def make_import(self, rows: list[dict[str, Any]]) -> Envelope:
        """Somebody hands in a file."""
        listed = [{**row, "line": line} for line, row in enumerate(rows, 1)]
        return self.store.envelope("people.import", {"rows": listed, "all_or_nothing": False})


CardsInAnyOrder.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
PeopleAndPlacesInAnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestCardsInAnyOrder = CardsInAnyOrder.TestCase
TestPeopleAndPlacesInAnyOrder = PeopleAndPlacesInAnyOrder.TestCase
