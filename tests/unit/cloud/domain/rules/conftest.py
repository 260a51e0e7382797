"""A site with one of everything, on which the rules are tried."""

import pytest

from tests.rigs.entity_store import EntityStore, card_id


@pytest.fixture
def store() -> EntityStore:
    """Nothing but what a test puts there."""
    return EntityStore()


@pytest.fixture
def site(store: EntityStore) -> EntityStore:
    """Building b, areas lobby and yard, door d1 between them, schedule days, group staff, person p, cards 1 to 3."""
    store.must("building.put", {"building": "b", "name": "Main"})
    store.must("area.put", {"area": "lobby", "name": "Lobby", "building": "b"})
    store.must("area.put", {"area": "yard", "name": "Yard"})
    store.must("door.put", {"door": "d1", "name": "Front", "building": "b", "inside": "lobby", "outside": "yard"})
    store.must("holidays.put", {"holidays": "bank", "name": "Bank", "dates": ["2027-12-25"]})
    window = {"days": ["mon"], "start": "08:00", "end": "18:00"}
    store.must(
        "schedule.put",
        {"schedule": "days", "name": "Days", "zone": "Europe/Berlin", "windows": [window], "holidays": "bank"},
    )
    store.must("group.put", {"group": "staff", "name": "Staff", "grants": [{"door": "d1", "schedule": "days"}]})
    store.must("person.create", {"person": "p", "name": "Pat", "status": "active"})
    store.must("card.register", {"cards": [{"card": card_id(number)} for number in (1, 2, 3)]})
    return store
