"""The processes of an access system as stories, from the staff's desks to the doors and back."""

import re
from collections.abc import Sequence

import pytest

from agent.core.model import Direction
from cloud.contract.reasons import Reason
from cloud.domain.roles import Role
from tests.rigs.deployed_site import PATIENCE_S, Caller, DeployedSite, card_id
from tests.rigs.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def gate(administrator: Caller, x: str) -> str:
    """A gate into a building, where a card can't be passed back, and the group that may enter; the gate's id."""
    administrator.do("PUT", f"buildings/b-{x}", {"name": "Annex"})
    hall = {"name": "Hall", "building": f"b-{x}", "anti_passback": "hard"}
    administrator.do("PUT", f"areas/a-{x}", hall)
    administrator.do("PUT", f"doors/d-{x}", {"name": "Gate", "building": f"b-{x}", "inside": f"a-{x}"})
    administrator.do("PUT", f"groups/g-{x}", {"name": "Staff", "grants": [{"door": f"d-{x}"}]})
    return f"d-{x}"


def known(operator: Caller, x: str, *people: str) -> None:
    """Active people of the group of the gate."""
    rows = [
        {"line": line, "person": person, "name": person.capitalize(), "groups": [f"g-{x}"]}
        for line, person in enumerate(people, 2)
    ]
    operator.do("POST", "people/import", {"rows": rows})


def test_register_and_link_a_card_and_complete_onboarding(
    site: DeployedSite, operator: Caller, x: str, gate: str
) -> None:
    """From the manufacturer's box into somebody's hand, by its number, in one step."""
    number, person = f"04{x}{x}80"[:20], f"p-{x}"
    operator.do("POST", "people", {"person": person, "name": "Ada"})
    operator.do("POST", f"people/{person}/permissions", {"group": f"g-{x}"})
    operator.do("POST", "cards", {"cards": [{"uid": number, "label": "000123"}]})
    card = operator.call("POST", "cards/lookup", {"uid": number}).body["card"]
    assert site.decides(card, gate) is Reason.UNKNOWN_CARD

    body = {"uid": number, "person": person, "building": f"b-{x}", "complete_onboarding": True}
    asked = operator.call("POST", "cards/issue", body, key=f"link-{x}").body
    linked = operator.ended(asked["request"])
    assert (linked["status"], linked["summary"]["person_status"], linked["summary"]["revoked"]) == (
        "done",
        "active",
        [],
    )
    assert operator.call("POST", "cards/issue", body, key=f"link-{x}").body["status"] == "done"

    assert operator.get(f"people/{person}")["status"] == "active"
    (held,) = operator.get(f"people/{person}/cards")["items"]
    assert (held["card"], held["status"], held["label"]) == (card, "issued", "000123")
    guard = site.staff(Role.GUARD)
    assert guard.get(f"people/{person}/presence")["building"] == f"b-{x}"
    assert [each["person"] for each in guard.get(f"buildings/b-{x}/occupancy")["items"]] == [person]
    assert site.decides(card, gate) is Reason.ALLOWED


def test_loss_and_replacement(site: DeployedSite, operator: Caller, x: str, gate: str) -> None:
    """Lost at night, reported by a guard; replaced by day; found again, and still worth nothing."""
    person, lost, new = f"p-{x}", card_id(x), card_id(x, 2)
    known(operator, x, person)
    operator.do("POST", "cards", {"cards": [{"card": lost}, {"card": new}]})
    operator.do("POST", f"cards/{lost}/issue", {"person": person})
    assert site.decides(lost, gate) is Reason.ALLOWED

    guard = site.staff(Role.GUARD)
    guard.do("POST", f"cards/{lost}/report-lost", {"note": "on the train"})
    assert site.decides(lost, gate) is Reason.LOST

    operator.do("POST", f"cards/{lost}/replace", {"by": new, "reason": "lost"})
    assert (site.decides(lost, gate), site.decides(new, gate)) == (Reason.LOST, Reason.ALLOWED)
    assert operator.get(f"people/{person}")["cards"] == [new]
    refused = operator.change("POST", f"cards/{lost}/reactivate", {})
    assert (refused["status"], refused["code"]) == ("rejected", "person_holds_another_card")
    assert site.decides(lost, gate) is Reason.LOST


def test_life_of_a_card_from_hand_to_hand(site: DeployedSite, operator: Caller, x: str, gate: str) -> None:
    """Given back and issued to the next, over and working again, revoked and destroyed for good."""
    ada, bob, card = f"ada-{x}", f"bob-{x}", card_id(x)
    known(operator, x, ada, bob)
    operator.do("POST", "cards", {"cards": [{"card": card}]})
    life: Sequence[tuple[str, dict[str, str], str, Reason]] = (
        ("issue", {"person": ada}, "issued", Reason.ALLOWED),
        ("return", {}, "returned", Reason.INACTIVE_CARD),
        ("issue", {"person": bob}, "issued", Reason.ALLOWED),
        ("expire", {}, "expired", Reason.INACTIVE_CARD),
        ("reactivate", {}, "issued", Reason.ALLOWED),
        ("revoke", {}, "revoked", Reason.REVOKED),
        ("destroy", {"note": "cut in two"}, "destroyed", Reason.INACTIVE_CARD),
    )
    for verb, body, status, reason in life:
        operator.do("POST", f"cards/{card}/{verb}", body)
        assert (verb, operator.get(f"cards/{card}")["status"]) == (verb, status)
        assert (verb, site.decides(card, gate)) == (verb, reason)
    for verb, body in (("issue", {"person": ada}), ("reactivate", {})):
        assert operator.change("POST", f"cards/{card}/{verb}", body)["status"] == "rejected"
    assert operator.get(f"cards/{card}")["person"] == bob
    assert (operator.get(f"people/{ada}")["cards"], operator.get(f"people/{bob}")["cards"]) == ([], [])


def test_person_who_gets_a_second_card_keeps_one(site: DeployedSite, operator: Caller, x: str, gate: str) -> None:
    """Nobody walks about with two cards that work: the first is revoked in the same step."""
    known(operator, x, f"p-{x}")
    first, second = card_id(x), card_id(x, 2)
    operator.do("POST", "cards", {"cards": [{"card": first}, {"card": second}]})
    operator.do("POST", f"cards/{first}/issue", {"person": f"p-{x}"})
    issued = operator.do("POST", f"cards/{second}/issue", {"person": f"p-{x}"})
    assert issued["summary"]["revoked"] == [first]
    assert (site.decides(first, gate), site.decides(second, gate)) == (Reason.REVOKED, Reason.ALLOWED)


def test_coming_and_going_of_a_person(site: DeployedSite, operator: Caller, x: str, gate: str) -> None:
    """Not before they are onboarded, not after they have left, and nothing is issued to who left."""
    person, card = f"p-{x}", card_id(x)
    operator.do("POST", "people", {"person": person, "name": "Ada"})
    operator.do("POST", f"people/{person}/permissions", {"group": f"g-{x}"})
    operator.do("POST", "cards", {"cards": [{"card": card}, {"card": card_id(x, 2)}]})
    operator.do("POST", f"cards/{card}/issue", {"person": person})
    assert site.decides(card, gate) is Reason.INACTIVE_PERSON
    operator.do("POST", f"people/{person}/activate")
    assert site.decides(card, gate) is Reason.ALLOWED
    operator.do("POST", f"people/{person}/deactivate", {"note": "left"})
    assert site.decides(card, gate) is Reason.INACTIVE_PERSON
    refused = operator.change("POST", f"cards/{card_id(x, 2)}/issue", {"person": person})
    assert (refused["status"], refused["code"]) == ("rejected", "person_inactive")
    assert operator.get(f"cards/{card_id(x, 2)}")["status"] == "unissued"


def test_entering_and_leaving(site: DeployedSite, operator: Caller, x: str, gate: str) -> None:
    """In once, not twice without going out; a card that is refused at the way in never holds at it."""
    person, card, guard = f"p-{x}", card_id(x), site.staff(Role.GUARD)
    known(operator, x, person)
    operator.do("POST", "cards", {"cards": [{"card": card}]})
    operator.do("POST", f"cards/{card}/issue", {"person": person})
    device = site.controller(gate)

    def where() -> str | None:
        area: str | None = guard.get(f"people/{person}/presence")["area"]
        return area

    assert site.decides(card, gate, area=where()) is Reason.ALLOWED
    device.grant(person, door=gate)
    site.send(device.name, device.record(1, 1))
    wait_for(lambda: where() == f"a-{x}", "them inside", PATIENCE_S)
    assert site.decides(card, gate, area=where()) is Reason.PASSBACK
    operator.do("POST", f"cards/{card}/report-stolen", {})
    assert site.decides(card, gate, area=where(), going=Direction.OUT) is Reason.EXIT
    device.grant(person, "out", door=gate)
    site.send(device.name, device.record(2, 2))
    wait_for(lambda: where() is None, "them outside", PATIENCE_S)
    assert site.decides(card, gate, area=where()) is Reason.STOLEN


def test_evacuation_list_empties_as_everyone_leaves(site: DeployedSite, operator: Caller, x: str, gate: str) -> None:
    """Sixty people inside by name over several pages; they leave within seconds, and nobody is left over."""
    people = [f"p{number:02}-{x}" for number in range(60)]
    known(operator, x, *people)
    device, guard, building = site.controller(gate), site.staff(Role.GUARD), f"buildings/b-{x}/occupancy"
    for person in people:
        device.grant(person, door=gate)
    site.send(device.name, *(device.record(first, first + 19) for first in (1, 21, 41)))
    wait_for(lambda: guard.get(building, limit=1)["count"] == 60, "everyone inside", PATIENCE_S)
    inside = [entry for page in guard.pages(building, 25) for entry in page]
    assert [entry["person"] for entry in inside] == people
    assert inside[0]["name"] == people[0].capitalize()

    for number, person in enumerate(people):
        device.grant(person, "out", door=gate, at_s=device.start_s + 61 + number / 20)
    site.send(device.name, *(device.record(first, first + 9) for first in range(61, 121, 10)))
    wait_for(lambda: guard.get(building)["count"] == 0, "everyone outside", PATIENCE_S)
    assert guard.get(building)["items"] == []
    assert len([event for page in guard.pages(f"doors/{gate}/events", 50) for event in page]) == 120


def test_reader_of_a_machine_is_used_and_moves_nobody(
    site: DeployedSite, administrator: Caller, operator: Caller, x: str, gate: str
) -> None:
    """A card at a vending machine is usage, and takes nobody out of the building."""
    known(operator, x, f"p-{x}")
    administrator.do("PUT", f"doors/snacks-{x}", {"name": "Snacks"})
    device = site.controller(gate, f"snacks-{x}")
    device.grant(f"p-{x}", door=gate)
    device.grant(f"p-{x}", door=f"snacks-{x}")
    site.send(device.name, device.record())
    usage = f"people/p-{x}/usage"
    wait_for(lambda: len(administrator.get(usage)["items"]) == 2, "both events", PATIENCE_S)
    assert administrator.get(f"people/p-{x}/presence")["area"] == f"a-{x}"


def test_auditor_reads_usage_and_is_read_about(site: DeployedSite, operator: Caller, x: str, gate: str) -> None:
    """Page by page, in a role of its own; each page read stands in the audit, and nobody else reads any."""
    person, auditor = f"p-{x}", site.staff(Role.AUDITOR)
    known(operator, x, person)
    device = site.controller(gate)
    for number in range(5):
        device.grant(person, "out" if number % 2 else "in", door=gate)
    site.send(device.name, device.record())
    usage = f"people/{person}/usage"
    wait_for(lambda: len(auditor.get(usage)["items"]) == 5, "five events", PATIENCE_S)

    def readings() -> int:
        entries = auditor.all("audit")
        assert any(entry["action"] == "audit.read" for entry in entries)
        mine = [each for each in entries if (each["action"], each["person"]) == ("usage.read", person)]
        assert {(each["subject"], each["outcome"]) for each in mine} == {(auditor.subject, "read")}
        return len(mine)

    before = readings()
    assert [len(page) for page in auditor.pages(usage, 2)] == [2, 2, 1]
    assert readings() == before + 3
    for role in (Role.VIEWER, Role.GUARD, Role.OPERATOR):
        assert site.staff(role).call("GET", usage).status == 403
    assert readings() == before + 3
    assert auditor.call("POST", f"people/{person}/deactivate").status == 403


def test_issued_cards_are_listed_page_by_page(operator: Caller, x: str) -> None:
    """Each once, whatever the size of the pages, and none in another state."""
    cards = [card_id(x, number) for number in range(1, 4)]
    operator.do("POST", "cards", {"cards": [{"card": card} for card in cards]})
    operator.do("POST", "people", {"person": f"p-{x}", "name": "Ada"})
    operator.do("POST", f"cards/{cards[1]}/issue", {"person": f"p-{x}"})
    for limit in (40, 200):
        listed = [card for page in operator.pages("cards", limit, status="issued") for card in page]
        assert {card["status"] for card in listed} == {"issued"}
        assert len({card["card"] for card in listed}) == len(listed)
        assert [card["card"] for card in listed if card["card"] in cards] == [cards[1]]


def test_demo_site_is_there_from_the_start(site: DeployedSite, administrator: Caller) -> None:
    """Places, people, cards and rights, put there by requests that stand in the audit."""
    assert administrator.get("buildings/hq")["name"] == "Headquarters"
    assert {"hq-turnstile", "hq-office", "hq-lab"} <= {door["door"] for door in administrator.all("doors")}
    (alice,) = (each for each in administrator.all("people", prefix="alice") if each["person"] == "alice")
    (card,) = administrator.get("people/alice/cards")["items"]
    assert (alice["status"], card["status"]) == ("active", "issued")
    assert site.decides(card["card"], "hq-lab") is Reason.ALLOWED
    seeded = [entry for entry in administrator.all("audit") if entry["name"] == "demo"]
    assert {entry["outcome"] for entry in seeded} == {"done"}
    assert all(re.fullmatch(r"[0-9a-f-]{36}", entry["request"]) for entry in seeded)
