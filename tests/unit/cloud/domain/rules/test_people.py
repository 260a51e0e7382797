"""The rules for people."""

from cloud.domain.outcome import Applied
from cloud.domain.rules.entities import Person
from tests.rigs.entity_store import SITE, EntityStore, card_id


def test_created_person_is_listed_without_personal_data(store: EntityStore) -> None:
    """A door learns an id and whether it counts; name and address stay in the cloud."""
    store.must("person.create", {"person": "p", "name": "Pat", "email": "pat@example.org"})
    assert store.item(Person, "p").items() >= {"name": "Pat", "status": "onboarding", "g2pk": "PEOPLE#hq"}.items()
    assert store.listed == {("person", "p"): {"v": 1, "kind": "person", "id": "p", "active": False, "groups": []}}


def test_creating_a_person_twice_is_refused(store: EntityStore) -> None:
    """The second one would overwrite the first, with cards and permissions."""
    store.must("person.create", {"person": "p", "name": "Pat"})
    assert store.refusal("person.create", {"person": "p", "name": "Paula"}) == "person_exists"


def test_update_tells_null_from_left_out(store: EntityStore) -> None:
    """Null clears, what is left out stays, and a new name is no news for the doors."""
    bounds = {"valid_from": "2027-01-01T00:00:00Z", "valid_until": "2028-01-01T00:00:00Z"}
    store.must("person.create", {"person": "p", "name": "Pat", "email": "pat@example.org", **bounds})
    assert store.must("person.update", {"person": "p", "name": "Paula"}).changes == ()
    assert store.item(Person, "p").items() >= {"name": "Paula", "email": "pat@example.org", **bounds}.items()
    store.must("person.update", {"person": "p", "email": None, "valid_until": None})
    assert not {"email", "valid_until"} & store.item(Person, "p").keys()
    assert store.listed["person", "p"]["from"] == bounds["valid_from"]


def test_update_refuses_what_makes_no_person(store: EntityStore) -> None:
    """A cleared name, a new bound that contradicts an old one, and a person who is not there."""
    store.must("person.create", {"person": "p", "name": "Pat", "valid_until": "2027-01-01T00:00:00Z"})
    assert store.refusal("person.update", {"person": "p", "name": None}) == "name_required"
    late = {"person": "p", "valid_from": "2027-01-01T00:00:00Z"}
    assert store.refusal("person.update", late) == "validity_out_of_order"
    assert store.refusal("person.update", {"person": "q", "name": "Quinn"}) == "person_unknown"


def test_update_without_a_difference_is_no_news_for_the_doors(store: EntityStore) -> None:
    """What is already so raises no version, and the same request once more writes nothing at all."""
    store.must("person.create", {"person": "p", "name": "Pat"})
    envelope = store.envelope("person.update", {"person": "p", "name": "Pat"})
    outcomes = [store.carry_out(envelope), store.carry_out(envelope)]
    assert [(len(each.writes), each.changes) for each in outcomes if isinstance(each, Applied)] == [(1, ()), (0, ())]


def test_deactivated_person_keeps_cards_and_is_refused_at_the_doors(site: EntityStore) -> None:
    """Deactivation blocks whatever they hold, and activation brings all of it back."""
    site.must("card.issue", {"card": card_id(1), "person": "p"})
    site.must("person.deactivate", {"person": "p"})
    assert site.listed["person", "p"]["active"] is False
    assert site.listed["card", card_id(1)]["status"] == "active"
    assert site.item(Person, "p")["cards"] == [card_id(1)]
    site.must("person.activate", {"person": "p"})
    assert site.listed["person", "p"]["active"] is True


def test_repeated_deactivation_is_no_news_for_the_doors(site: EntityStore) -> None:
    """It is done already, and the same request once more writes nothing at all."""
    envelope = site.envelope("person.deactivate", {"person": "p"})
    site.carry_out(envelope)
    again = site.carry_out(envelope)
    assert isinstance(again, Applied)
    assert again.writes == ()
    assert site.must("person.deactivate", {"person": "p"}).changes == ()


def test_activation_between_two_deactivations_is_overtaken_by_the_second(site: EntityStore) -> None:
    """Delivered last, it finds that somebody shut the person out once more after it was asked for."""
    site.must("person.deactivate", {"person": "p"})
    overtaken = site.envelope("person.activate", {"person": "p"})
    site.must("person.deactivate", {"person": "p"})
    assert getattr(site.carry_out(overtaken), "code", None) == "person_changed_since"


def test_activation_that_was_asked_before_a_deactivation_does_not_undo_it(site: EntityStore) -> None:
    """Delivered late, it must not let in whom somebody shut out since."""
    overtaken = site.envelope("person.activate", {"person": "p"})
    site.must("person.deactivate", {"person": "p"})
    assert getattr(site.carry_out(overtaken), "code", None) == "person_changed_since"
    assert site.listed["person", "p"]["active"] is False


def test_update_that_was_asked_before_another_does_not_undo_it(site: EntityStore) -> None:
    """Delivered late, it must not take away the end that somebody set since; nor if that end was set twice."""
    end = {"person": "p", "valid_until": "2028-01-01T00:00:00Z"}
    first = site.envelope("person.update", {"person": "p", "valid_until": None})
    site.must("person.update", end)
    second = site.envelope("person.update", {"person": "p", "valid_until": None})
    site.must("person.update", end)
    for overtaken in (first, second):
        assert getattr(site.carry_out(overtaken), "code", None) == "person_changed_since"
    assert site.listed["person", "p"]["until"] == end["valid_until"]


def test_update_of_a_person_from_before_instants_were_kept_is_the_newer_one(site: EntityStore) -> None:
    """What an earlier release wrote counts as older than anything."""
    del site.items[Person.key(SITE, "p")]["changed_at"]
    site.must("person.update", {"person": "p", "name": "Paula"}, at_s=0)
    assert site.item(Person, "p")["name"] == "Paula"
