"""What a site's doors can keep in memory is never exceeded by a change."""

from cloud.contract.allowlist import Change
from cloud.contract.canonical import canonical_bytes
from cloud.domain import keys
from cloud.domain.outcome import Item, Rejected
from cloud.domain.rules.listing import document
from cloud.domain.rules.place_entities import Area, Building, Group
from cloud.requests import rights


def item_of(entity: Area | Building | Group) -> Item:
    pk, sk = entity.key("hq", entity.id)
    return {"pk": pk, "sk": sk, **entity.fields("hq")}


STAFF = Group("staff", "Staff")
HALL = Area("hall", "Hall")
LAID = [
    item_of(STAFF),
    item_of(HALL),
    item_of(Building("main", "A long name that no door ever hears of")),
    {"pk": keys.site("hq")[0], "sk": keys.site("hq")[1], "site": "hq"},
]
SIZE = sum(len(canonical_bytes(document(each) or {})) for each in (STAFF, HALL))


def put(entity: Area | Group) -> Change:
    listed = document(entity)
    assert listed is not None
    return Change(listed["kind"], listed["id"], listed)


def test_change_that_fits_is_none_of_its_business() -> None:
    """Counted is what doors hear of: no building, no name."""
    assert rights.refusal(LAID, [put(STAFF)], SIZE) is None


def test_change_that_does_not_fit_is_refused() -> None:
    """One byte too many, by something new or by something that grew."""
    assert isinstance(rights.refusal(LAID, [put(Area("attic", "Attic"))], SIZE), Rejected)
    assert isinstance(rights.refusal(LAID, [put(STAFF)], SIZE - 1), Rejected)


def test_removal_makes_room() -> None:
    """What goes in the same change does not count."""
    gone = Change("area", "hall", None)
    assert rights.refusal(LAID, [gone, put(Area("lobby", "Lobby"))], SIZE + 2) is None


def test_cards_and_people_are_not_counted() -> None:
    """They lie on the door's disk."""
    assert not rights.concerns([Change("card", "c" * 32, None), Change("person", "ada", None)])
    assert rights.concerns([Change("person", "ada", None), put(HALL)])
