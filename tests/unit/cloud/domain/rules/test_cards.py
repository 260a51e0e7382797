"""The rules for cards."""

import itertools

import pytest

from cloud.domain.outcome import Applied
from cloud.domain.payloads import RequestType
from cloud.domain.rules.card_states import BLOCKING, MOVES
from cloud.domain.rules.entities import Card, CardState, Person
from tests.rigs.entity_store import NOW_S, SITE, EntityStore, card_id

ONE, TWO, THREE = card_id(1), card_id(2), card_id(3)
VALIDITY = {"valid_from": "2027-01-01T00:00:00Z", "valid_until": "2030-01-01T00:00:00Z"}
BLOCKS = sorted(kind.value for kind in BLOCKING)


def issue(site: EntityStore, card: str = ONE, person: str = "p", **fields: object) -> Applied:
    return site.must("card.issue", {"card": card, "person": person, **fields})


def status(site: EntityStore, card: str) -> str:
    found: str = site.item(Card, card)["status"]
    return found


def listed(site: EntityStore, card: str) -> object:
    return site.listed["card", card]["status"]


def test_registered_cards_are_unissued_and_no_door_knows_them(site: EntityStore) -> None:
    """A card that nobody holds is no business of the doors."""
    assert status(site, ONE) == "unissued"
    assert not [name for name in site.listed if name[0] == "card"]
    assert site.item(Card, ONE)["g2sk"] == f"unissued#{ONE}"


@pytest.mark.parametrize("cards", [[card_id(4), ONE], [card_id(4), card_id(4)]])
def test_registering_a_card_twice_registers_none(site: EntityStore, cards: list[str]) -> None:
    """One card that is there already, or twice in the request, keeps all others out too."""
    payload = {"cards": [{"card": card} for card in cards]}
    assert site.refusal("card.register", payload) == "card_already_registered"


def test_issue_writes_card_person_and_list_at_once(site: EntityStore) -> None:
    """The half-linked card of two separate writes: card, holder and the doors' list change in one transaction."""
    applied = issue(site, **VALIDITY)
    assert len(applied.writes) == 2
    assert site.item(Card, ONE).items() >= {"status": "issued", "person": "p", **VALIDITY}.items()
    assert site.item(Person, "p")["cards"] == [ONE]
    assert site.listed["card", ONE] == {
        "v": 1, "kind": "card", "id": ONE, "person": "p", "status": "active",
        "from": VALIDITY["valid_from"], "until": VALIDITY["valid_until"],
    }  # fmt: skip


def test_issue_tells_unknown_from_inactive(site: EntityStore) -> None:
    """A status text that is not found is never taken for a person who is not there, nor the other way round."""
    site.must("person.create", {"person": "q", "name": "Quinn"})
    site.must("person.deactivate", {"person": "q"})
    assert site.refusal("card.issue", {"card": ONE, "person": "nobody"}) == "person_unknown"
    assert site.refusal("card.issue", {"card": ONE, "person": "q"}) == "person_inactive"
    assert site.refusal("card.issue", {"card": card_id(9), "person": "p"}) == "card_unknown"


@pytest.mark.parametrize("kind", [*BLOCKS, "card.expire"])
def test_issue_takes_no_card_that_is_not_available(site: EntityStore, kind: str) -> None:
    """Only an unissued or returned card can be issued; an issued one is not taken away from its holder."""
    site.must("person.create", {"person": "q", "name": "Quinn", "status": "active"})
    issue(site)
    assert site.refusal("card.issue", {"card": ONE, "person": "q"}) == "card_not_available"
    site.must(kind, {"card": ONE})
    assert site.refusal("card.issue", {"card": ONE, "person": "q"}) == "card_not_available"


def test_returned_card_is_issued_to_the_next(site: EntityStore) -> None:
    """Back in the pool it names its last holder until it gets another; validity of the last one is not inherited."""
    site.must("person.create", {"person": "q", "name": "Quinn", "status": "active"})
    issue(site, **VALIDITY)
    site.must("card.return", {"card": ONE})
    assert site.item(Card, ONE).items() >= {"status": "returned", "person": "p"}.items()
    assert site.item(Person, "p")["cards"] == []
    assert listed(site, ONE) == "inactive"
    issue(site, ONE, "q")
    assert site.listed["card", ONE] == {"v": 1, "kind": "card", "id": ONE, "person": "q", "status": "active"}


def test_issue_revokes_the_card_held_before(site: EntityStore) -> None:
    """A person with two working cards: the first one is revoked in the transaction that issues the second."""
    issue(site)
    applied = issue(site, TWO)
    assert applied.summary["revoked"] == [ONE]
    assert (status(site, ONE), status(site, TWO)) == ("revoked", "issued")
    assert site.item(Person, "p")["cards"] == [TWO]
    assert (listed(site, ONE), listed(site, TWO)) == ("revoked", "active")


def test_onboarding_is_completed_only_when_asked(site: EntityStore) -> None:
    """Without it the person gets the card, and the doors wait for the person to become active."""
    site.must("person.create", {"person": "q", "name": "Quinn"})
    site.must("person.create", {"person": "r", "name": "Robin"})
    issue(site, ONE, "q")
    issue(site, TWO, "r", complete_onboarding=True)
    assert (site.listed["person", "q"]["active"], site.listed["person", "r"]["active"]) == (False, True)
    assert site.item(Person, "q")["status"] == "onboarding"
    assert site.item(Person, "r")["status"] == "active"
    site.must("person.activate", {"person": "q"})
    assert site.listed["person", "q"]["active"] is True


def test_issue_with_a_building_puts_the_person_inside(site: EntityStore) -> None:
    """The presence is written in the same transaction, once, and the building must be one."""
    envelope = site.envelope("card.issue", {"card": ONE, "person": "p", "building": "b"})
    site.carry_out(envelope)
    presence = site.items["PERSON#hq#p", "PRESENCE"]
    assert (presence["building"], presence["at"], presence["g1pk"]) == ("b", envelope.at, f"INSIDE#{SITE}#b")
    assert site.refusal("card.issue", {"card": TWO, "person": "p", "building": "x"}) == "building_unknown"


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("held", [True, False])
def test_blocking_is_taken_whether_or_not_a_card_is_issued(site: EntityStore, kind: str, held: bool) -> None:
    """A report that overtakes the issue is not lost: the issue finds a card that can't be issued any more."""
    if held:
        issue(site)
    site.must(kind, {"card": ONE})
    assert status(site, ONE) not in ("issued", "unissued")
    assert site.item(Person, "p")["cards"] == []
    assert site.refusal("card.issue", {"card": ONE, "person": "p"}) == "card_not_available"


@pytest.mark.parametrize("kind", [*BLOCKS, "card.return", "card.expire"])
def test_repeating_is_no_news_for_the_doors(site: EntityStore, kind: str) -> None:
    """The same once more, by whomever, is done already; the same request once more writes nothing at all."""
    issue(site)
    envelope = site.envelope(kind, {"card": ONE})
    site.carry_out(envelope)
    again = site.carry_out(envelope)
    assert isinstance(again, Applied)
    assert again.writes == ()
    assert site.must(kind, {"card": ONE}).changes == ()


def test_reactivation_between_two_reports_is_overtaken_by_the_second(site: EntityStore) -> None:
    """Delivered last, it finds that the card was reported once more after it was asked for."""
    issue(site)
    site.must("card.report_lost", {"card": ONE})
    overtaken = site.envelope("card.reactivate", {"card": ONE})
    site.must("card.report_lost", {"card": ONE})
    assert getattr(site.carry_out(overtaken), "code", None) == "card_changed_since"


def test_every_order_of_reports_ends_in_the_gravest() -> None:
    """What is known of a card is never weakened by a report that comes late, and its last holder stays known."""
    for some in itertools.chain(*(itertools.combinations(BLOCKS, size) for size in (2, 3, 4))):
        ends = set()
        for order in itertools.permutations(some):
            store = EntityStore()
            store.must("person.create", {"person": "p", "name": "Pat", "status": "active"})
            store.must("card.register", {"cards": [{"card": ONE}]})
            store.must("card.issue", {"card": ONE, "person": "p"})
            for kind in order:
                store.must(kind, {"card": ONE})
            ends.add((status(store, ONE), store.item(Card, ONE)["person"]))
        assert len(ends) == 1, some


@pytest.mark.parametrize(
    ("kind", "then"),
    [("card.revoke", "revoked"), ("card.report_stolen", "stolen"), ("card.destroy", "destroyed")],
)
def test_what_is_blocked_for_good_never_comes_back(site: EntityStore, kind: str, then: str) -> None:
    """Neither to its holder nor to the pool."""
    issue(site)
    site.must(kind, {"card": ONE})
    for back in ("card.reactivate", "card.return", "card.expire"):
        assert site.refusal(back, {"card": ONE}) == "card_in_wrong_state"
    assert status(site, ONE) == then


@pytest.mark.parametrize("kind", ["card.report_lost", "card.expire"])
def test_reactivated_card_works_for_its_last_holder(site: EntityStore, kind: str) -> None:
    """A card that was found again works for whom it worked before."""
    issue(site)
    site.must(kind, {"card": ONE})
    site.must("card.reactivate", {"card": ONE})
    assert (status(site, ONE), listed(site, ONE)) == ("issued", "active")
    assert site.item(Person, "p")["cards"] == [ONE]
    assert site.must("card.reactivate", {"card": ONE}).writes == ()


def test_reactivation_gives_nobody_a_second_card(site: EntityStore) -> None:
    """Who got another card in the meantime returns that one first."""
    issue(site)
    site.must("card.report_lost", {"card": ONE})
    issue(site, TWO)
    assert site.refusal("card.reactivate", {"card": ONE}) == "person_holds_another_card"


def test_reactivation_needs_a_holder_who_may_hold_it(site: EntityStore) -> None:
    """Not for one who is inactive, not where nobody ever held it, and not beyond its validity."""
    site.must("card.report_lost", {"card": TWO})
    assert site.refusal("card.reactivate", {"card": TWO}) == "card_never_issued"
    issue(site, valid_until="2027-01-16T00:00:00Z")
    site.must("card.expire", {"card": ONE})
    late_s = NOW_S + 40 * 86_400
    assert site.refusal("card.reactivate", {"card": ONE}, at_s=late_s) == "card_validity_over"
    site.must("person.deactivate", {"person": "p"})
    assert site.refusal("card.reactivate", {"card": ONE}) == "person_inactive"


@pytest.mark.parametrize("late", ["card.reactivate", "card.return"])
def test_what_was_asked_before_a_report_does_not_undo_it(site: EntityStore, late: str) -> None:
    """A request that was overtaken by a later report leaves the card blocked."""
    issue(site)
    overtaken = site.envelope(late, {"card": ONE})
    site.must("card.report_lost", {"card": ONE})
    assert getattr(site.carry_out(overtaken), "code", None) == "card_changed_since"
    assert status(site, ONE) == "lost"


def test_issue_that_was_asked_before_the_return_is_refused(site: EntityStore) -> None:
    """It would hand out a card that came back after the operator looked at it."""
    issue(site)
    overtaken = site.envelope("card.issue", {"card": ONE, "person": "p"})
    site.must("card.return", {"card": ONE})
    assert getattr(site.carry_out(overtaken), "code", None) == "card_changed_since"


@pytest.mark.parametrize(("reason", "then"), [("lost", "lost"), ("stolen", "stolen"), ("revoked", "revoked")])
def test_replacing_blocks_the_old_card_as_it_issues_the_new(site: EntityStore, reason: str, then: str) -> None:
    """At no moment do both work; the new one is valid as long as the old one was."""
    issue(site, **VALIDITY)
    site.must("card.replace", {"card": ONE, "by": TWO, "reason": reason})
    assert (status(site, ONE), status(site, TWO)) == (then, "issued")
    assert site.item(Card, TWO).items() >= {"person": "p", **VALIDITY}.items()
    assert site.item(Person, "p")["cards"] == [TWO]
    assert (listed(site, ONE), listed(site, TWO)) == (then, "active")


def test_replacing_takes_only_a_card_that_somebody_holds(site: EntityStore) -> None:
    """Nor a new one that is not free, nor one for which another was given already; all or nothing."""
    assert site.refusal("card.replace", {"card": ONE, "by": TWO}) == "card_not_issued"
    issue(site)
    assert site.refusal("card.replace", {"card": ONE, "by": ONE}) == "card_not_available"
    assert site.refusal("card.replace", {"card": ONE, "by": card_id(9)}) == "card_unknown"
    site.must("card.report_lost", {"card": ONE})
    site.must("card.replace", {"card": ONE, "by": TWO})
    assert status(site, ONE) == "revoked"
    assert site.refusal("card.replace", {"card": ONE, "by": THREE}) == "person_holds_another_card"


def test_every_request_for_one_card_has_its_row_in_the_table() -> None:
    """A type of request without one would fail on every card."""
    singles = {kind for kind in RequestType if kind.value.startswith("card.")}
    assert MOVES.keys() == singles - {RequestType.CARD_REGISTER, RequestType.CARD_REPLACE}
    assert all(MOVES[kind].keys() == set(CardState) for kind in BLOCKING)
