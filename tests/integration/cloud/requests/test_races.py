"""Several processors at once on one table: whatever they are asked, nothing is half done and no rule is broken."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.adapters.entities import EntityStore
from cloud.adapters.request_objects import RequestObjects
from cloud.domain import keys
from cloud.domain.envelope import Envelope, object_name
from cloud.domain.keys import Key
from cloud.domain.outcome import Item
from cloud.domain.routes import Family, family
from cloud.handlers.writing import entities, settler
from cloud.requests.ending import End, Report
from cloud.requests.importing import Importer
from cloud.requests.messages import Routed, StoredObject
from cloud.requests.processing import Processor
from tests.rigs.back_office import Office, Offices, card_id

pytestmark = pytest.mark.system


def processor(
    office: Office,
    mine: Family,
    on_conflict: Callable[[], None] = lambda: None,
    store: EntityStore | None = None,
) -> Processor:
    """A processor as the function has it, without its log and metrics: those are of one call at a time."""
    offices = office.offices
    environ = offices.environ(mine)
    store = store or entities(environ, offices.dynamodb)
    writer = settler(environ, offices.access, offices.dynamodb)
    importer = Importer(store, writer, time.time, lambda: 60.0, on_conflict)
    objects = RequestObjects(offices.requests_bucket, offices.s3)
    return Processor(mine, objects, store, writer, importer, time.time, on_conflict)


def routed(office: Office, envelope: Envelope) -> Routed:
    name = object_name(office.site, envelope.id)
    return Routed.of(StoredObject(bucket=office.offices.requests_bucket, key=name), envelope)


def at_once(
    office: Office, *queues: Sequence[Envelope], on_conflict: Callable[[], None] = lambda: None
) -> list[Report]:
    """Carry out each queue in order, all queues at once; reports of all."""
    start = Barrier(len(queues))

    def work(queue: Sequence[Envelope]) -> list[Report]:
        processors = {mine: processor(office, mine, on_conflict) for mine in {family(each.type) for each in queue}}
        start.wait(10)
        return [processors[family(each.type)].process(routed(office, each)) for each in queue]

    with ThreadPoolExecutor(len(queues)) as pool:
        return [report for reports in pool.map(work, queues) for report in reports]


def test_one_of_two_who_issue_a_card_at_the_same_instant_gets_it(office: Office) -> None:
    """One is done, the other is told that the card is taken; the card has one holder, whom the doors know."""
    office.people("ann", "bob")
    for number in range(1, 9):
        office.cards(number)
        asked = [office.ask("card.issue", {"card": card_id(number), "person": name}) for name in ("ann", "bob")]
        reports = at_once(office, *([each] for each in asked))
        assert sorted(report.end for report in reports) == [End.DONE, End.REJECTED]
        assert [report.code for report in reports if report.code] == ["card_not_available"]
        (won,) = (each for each in asked if office.status(each)["status"] == "done")
        card = office.entities.get(keys.card(office.site, card_id(number)))
        assert card is not None
        assert card["person"] == won.payload["person"] == office.doors_view()["card", card_id(number)]["person"]
    assert office.doors_view() == office.tables_view()


def test_one_request_that_is_delivered_twice_at_once_has_one_effect(office: Office) -> None:
    """One does it, the other finds it done."""
    for number in range(1, 6):
        version = office.head().version
        envelope = office.ask("person.create", {"person": f"p{number}", "name": "P"})
        reports = at_once(office, [envelope], [envelope])
        assert sorted(report.end for report in reports) == [End.DONE, End.REPEATED]
        assert office.head().version == version + 1
        assert len(office.audit(envelope)) == 1


def test_one_import_that_is_delivered_twice_at_once_takes_each_step_once(office: Office) -> None:
    """The two take turns, or one finds it done; rows are counted once."""
    rows = [{"line": line, "person": f"p{line}", "name": "N", "card": card_id(line)} for line in range(1, 151)]
    envelope = office.ask("people.import", {"rows": rows})
    version = office.head().version
    reports = at_once(office, [envelope], [envelope])
    assert sorted(report.end for report in reports) == [End.DONE, End.REPEATED]
    status = office.status(envelope)
    assert (status["summary"], status["progress"]) == ({"applied": 150, "problems": 0}, {"done": 150, "of": 150})
    assert office.head().version == version + 5
    assert office.doors_view() == office.tables_view()


def test_many_at_once_all_get_through_one_head(office: Office) -> None:
    """Everything that a site's doors must know goes through its head; all come through, one version each."""
    conflicts: list[None] = []
    version = office.head().version
    queues = [
        [office.ask("person.create", {"person": f"p{queue}-{each}", "name": "P"}) for each in range(6)]
        for queue in range(5)
    ]
    reports = at_once(office, *queues, on_conflict=lambda: conflicts.append(None))
    assert {report.end for report in reports} == {End.DONE}
    assert conflicts, "nobody met anybody: this shows nothing"
    assert office.head().version == version + 30
    assert office.doors_view() == office.tables_view()


class Interrupted(EntityStore):
    """Lets something else happen once, just after an item was read."""

    def __init__(self, office: Office, key: keys.Key, happens: Callable[[], object]) -> None:
        super().__init__(office.offices.table, office.offices.dynamodb)
        self._key = key
        self._happens: Callable[[], object] | None = happens

    def get(self, key: keys.Key) -> Item | None:
        item = super().get(key)
        if key == self._key and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()
        return item


class TestWhatComesBetweenReadingAndWriting:
    """Whatever a decision rested on is as it was read, or it is decided anew."""

    def carry_out(
        self, office: Office, kind: str, payload: dict[str, Any], read: keys.Key, meanwhile: Callable[[], object]
    ) -> Report:
        envelope = office.ask(kind, payload)
        conflicts: list[None] = []
        mine = family(envelope.type)
        store = Interrupted(office, read, meanwhile)
        report = processor(office, mine, lambda: conflicts.append(None), store).process(routed(office, envelope))
        assert conflicts
        assert office.doors_view() == office.tables_view()
        return report

    def test_what_was_only_read_must_still_be_so(self, office: Office) -> None:
        """A building that goes while somebody is being put inside it: there is no such building."""
        office.people("ann")
        office.cards(1)
        office.do("building.put", {"building": "b", "name": "B"})
        report = self.carry_out(
            office,
            "card.issue",
            {"card": card_id(1), "person": "ann", "building": "b"},
            keys.place(office.site, "building", "b"),
            lambda: office.do("building.remove", {"id": "b"}),
        )
        assert report.code == "building_unknown"

    def test_count_that_came_between_is_not_lost(self, office: Office) -> None:
        """A group that is renamed while somebody joins it is still named by them."""
        office.people("ann")
        office.do("group.put", {"group": "g", "name": "G"})
        key = keys.place(office.site, "group", "g")
        report = self.carry_out(
            office,
            "group.put",
            {"group": "g", "name": "renamed"},
            key,
            lambda: office.do("permission.grant", {"person": "ann", "group": "g"}),
        )
        group = office.entities.get(key)
        assert group is not None
        assert (report.end, group["name"], group["uses"]) == (End.DONE, "renamed", 1)

    def test_what_is_named_meanwhile_is_not_removed(self, office: Office) -> None:
        """A group that somebody joins while it is being removed stays."""
        office.people("ann")
        office.do("group.put", {"group": "g", "name": "G"})
        report = self.carry_out(
            office,
            "group.remove",
            {"id": "g"},
            keys.place(office.site, "group", "g"),
            lambda: office.do("permission.grant", {"person": "ann", "group": "g"}),
        )
        assert report.end is End.REJECTED
        assert office.entities.get(keys.place(office.site, "group", "g")) is not None

    def test_refusal_holds_only_while_its_reason_does(self, office: Office) -> None:
        """A card that is given back while it is refused to somebody else is theirs."""
        office.people("ann", "bob")
        office.cards(1)
        office.do("card.issue", {"card": card_id(1), "person": "bob"})
        report = self.carry_out(
            office,
            "card.issue",
            {"card": card_id(1), "person": "ann"},
            keys.card(office.site, card_id(1)),
            lambda: office.do("card.return", {"card": card_id(1)}),
        )
        assert report.end in (End.DONE, End.REJECTED)
        assert report.code != "card_not_available"


class Counted(EntityStore):
    """Counts how often rows were looked at; at one of these times something else happens just after."""

    def __init__(self, office: Office, at: int, happens: Callable[[], object]) -> None:
        super().__init__(office.offices.table, office.offices.dynamodb)
        self.looks = 0
        self._at = at
        self._happens = happens

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item | None]:
        found = super().get_many(keys)
        self.looks += 1
        if self.looks == self._at:
            self._happens()
        return found


def test_import_that_has_to_run_after_others_checks_its_rows_beforehand_once(office: Office) -> None:
    """A file of thousands of rows is not read through again for each race that its first step loses."""
    rows = [{"line": line, "person": f"p{line}", "name": "N"} for line in range(1, 51)]
    before = office.ask("person.create", {"person": "p1", "name": "N"})
    envelope = office.ask("people.import", {"rows": rows})
    store = Counted(office, 3, lambda: office.deliver(before))
    conflicts: list[None] = []
    report = processor(office, Family.IMPORTS, lambda: conflicts.append(None), store).process(routed(office, envelope))
    assert (report.end, len(conflicts)) == (End.DONE, 1)
    assert store.looks == 2 + 1 + 2
    assert office.status(envelope)["summary"] == {"applied": 50, "problems": 0}


PEOPLE, CARDS = ("ann", "bob"), (1, 2, 3)
_card = st.sampled_from([card_id(number) for number in CARDS])
_person = st.sampled_from(PEOPLE)
_requests: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("card.issue"), st.fixed_dictionaries({"card": _card, "person": _person})),
    st.tuples(
        st.sampled_from(["card.return", "card.report_lost", "card.report_stolen", "card.expire", "card.reactivate"]),
        st.fixed_dictionaries({"card": _card}),
    ),
    st.tuples(st.just("card.replace"), st.fixed_dictionaries({"card": _card, "by": _card})),
    st.tuples(st.sampled_from(["person.deactivate", "person.activate"]), st.fixed_dictionaries({"person": _person})),
    st.tuples(st.just("permission.grant"), st.fixed_dictionaries({"person": _person, "group": st.just("g")})),
    st.tuples(st.just("group.put"), st.fixed_dictionaries({"group": st.just("g"), "name": st.text("abc", min_size=1)})),
    st.tuples(st.just("group.remove"), st.fixed_dictionaries({"id": st.just("g")})),
)


@settings(max_examples=12)
@given(queues=st.lists(st.lists(_requests, min_size=1, max_size=4), min_size=2, max_size=3))
def test_no_mixture_of_requests_breaks_a_rule(environment: Offices, queues: list[list[tuple[str, Any]]]) -> None:
    """Nobody holds two cards, holder and card agree, counts are right, the doors know what the table holds."""
    office = Office(environment)
    office.people(*PEOPLE)
    office.cards(*CARDS)
    office.do("group.put", {"group": "g", "name": "G"})
    asked = [[office.ask(kind, payload) for kind, payload in queue] for queue in queues]
    reports = at_once(office, *asked)
    assert {report.end for report in reports} <= {End.DONE, End.REJECTED}
    for envelope in (each for queue in asked for each in queue):
        assert len(office.audit(envelope)) == 1
    people = [office.entities.get(keys.person(office.site, name)) for name in PEOPLE]
    held = {card: item["person"] for item in people if item for card in item.get("cards", ())}
    cards = [office.entities.get(keys.card(office.site, card_id(number))) for number in CARDS]
    issued = {item["card"]: item["person"] for item in cards if item and item["status"] == "issued"}
    assert held == issued
    assert len(set(issued.values())) == len(issued)
    group = office.entities.get(keys.place(office.site, "group", "g"))
    named = sum(len(item.get("permissions", ())) for item in people if item)
    assert named == (0 if group is None else group["uses"])
    assert office.doors_view() == office.tables_view()
