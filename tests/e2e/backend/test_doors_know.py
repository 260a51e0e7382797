"""After each change, what a door reads with its own credentials: the signed delta, and the signed list as a whole."""

from datetime import date

import pytest

from cloud.contract.itemcodec import instant
from cloud.contract.items import (
    Card,
    CardStatus,
    DoorMode,
    Grant,
    Group,
    Holidays,
    Membership,
    Person,
    Schedule,
    Window,
)
from tests.rigs.deployed_site import Caller, DeployedSite, card_id

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def ada(operator: Caller, x: str) -> str:
    """An active person with an issued card."""
    operator.do("POST", "people", {"person": f"p-{x}", "name": "Ada", "status": "active"})
    operator.do("POST", "cards", {"cards": [{"card": card_id(x)}, {"card": card_id(x, 2)}]})
    operator.do("POST", f"cards/{card_id(x)}/issue", {"person": f"p-{x}"})
    return f"p-{x}"


def test_doors_admit_a_card_from_its_issue_on(site: DeployedSite, operator: Caller, x: str) -> None:
    """One delta brings the card; what is only registered they do not know."""
    card = card_id(x)
    operator.do("POST", "people", {"person": f"p-{x}", "name": "Ada"})
    operator.do("POST", "cards", {"cards": [{"card": card}]})
    assert ("card", card) not in site.listed()
    validity = {"valid_from": "2026-01-01T00:00:00Z", "valid_until": "2030-01-01T00:00:00Z"}
    issued = operator.do("POST", f"cards/{card}/issue", {"person": f"p-{x}", "complete_onboarding": True, **validity})
    assert set(site.changes(issued)) == {("card", card), ("person", f"p-{x}")}
    bounds = instant(validity["valid_from"]), instant(validity["valid_until"])
    assert site.at_doors("card", card) == Card(card, f"p-{x}", CardStatus.ACTIVE, *bounds)
    assert site.at_doors("person", f"p-{x}") == Person(f"p-{x}", active=True)


def test_names_and_addresses_never_reach_a_door(site: DeployedSite, operator: Caller, x: str) -> None:
    """A stolen controller tells nobody who works there."""
    body = {"person": f"p-{x}", "name": f"Ada Lovelace {x}", "email": f"{x}@example.org", "status": "active"}
    told = str(site.changes(operator.do("POST", "people", body)))
    assert f"p-{x}" in told
    assert "Lovelace" not in told
    assert "example.org" not in told


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        ("report-lost", CardStatus.LOST),
        ("report-stolen", CardStatus.STOLEN),
        ("revoke", CardStatus.REVOKED),
        ("return", CardStatus.INACTIVE),
        ("expire", CardStatus.INACTIVE),
        ("destroy", CardStatus.INACTIVE),
    ],
)
def test_doors_refuse_a_card_and_know_why(
    site: DeployedSite, operator: Caller, ada: str, x: str, verb: str, status: CardStatus
) -> None:
    """The card stays on the list with its state: the guard sees `stolen`, not `unknown`."""
    request = operator.do("POST", f"cards/{card_id(x)}/{verb}", {})
    assert set(site.changes(request)) == {("card", card_id(x))}
    assert site.at_doors("card", card_id(x)) == Card(card_id(x), ada, status)


def test_old_and_new_card_change_places_in_one_version(site: DeployedSite, operator: Caller, ada: str, x: str) -> None:
    """There is no list on which both work, or neither."""
    request = operator.do("POST", f"cards/{card_id(x)}/replace", {"by": card_id(x, 2), "reason": "stolen"})
    changes = site.changes(request)
    old, new = changes["card", card_id(x)], changes["card", card_id(x, 2)]
    assert old is not None
    assert new is not None
    assert (old["status"], new.get("status", "active"), new["person"]) == ("stolen", "active", ada)


def test_doors_know_a_permission_with_its_bounds_and_its_end(
    site: DeployedSite, administrator: Caller, ada: str, x: str
) -> None:
    """They hold to the time themselves, also when no list reaches them any more."""
    administrator.do("PUT", f"groups/g-{x}", {"name": "Lab"})
    bounds = {"valid_from": "2027-03-01T08:00:00Z", "valid_until": "2027-03-31T18:00:00Z"}
    granted = administrator.do("POST", f"people/{ada}/permissions", {"group": f"g-{x}", **bounds})
    membership = Membership(f"g-{x}", instant(bounds["valid_from"]), instant(bounds["valid_until"]))
    assert site.at_doors("person", ada) == Person(ada, groups=(membership,))
    path = f"people/{ada}/permissions/{granted['request']}/end"
    administrator.do("POST", path, {"at": "2027-03-15T00:00:00Z"})
    shorter = Membership(f"g-{x}", instant(bounds["valid_from"]), instant("2027-03-15T00:00:00Z"))
    assert site.at_doors("person", ada) == Person(ada, groups=(shorter,))
    administrator.do("POST", path)
    assert site.at_doors("person", ada) == Person(ada)


def test_doors_know_schedules_and_their_holidays(site: DeployedSite, administrator: Caller, x: str) -> None:
    """Group, schedule and calendar as they were put, and as they are put anew."""
    administrator.do("PUT", f"holidays/h-{x}", {"name": "Public", "dates": ["2027-12-25", "2027-01-01"]})
    week = {"name": "Days", "zone": "Europe/Berlin", "holidays": f"h-{x}"}
    windows = [{"days": ["mon", "sun"], "start": "22:00", "end": "06:00"}]
    administrator.do("PUT", f"schedules/s-{x}", {**week, "windows": windows})
    administrator.do("PUT", f"doors/d-{x}", {"name": "Gate", "mode": "unlocked"})
    administrator.do("PUT", f"groups/g-{x}", {"name": "Night", "grants": [{"door": f"d-{x}", "schedule": f"s-{x}"}]})
    assert site.at_doors("holidays", f"h-{x}") == Holidays(f"h-{x}", frozenset({date(2027, 1, 1), date(2027, 12, 25)}))
    night = Window(frozenset({0, 6}), 22 * 60, 6 * 60)
    assert site.at_doors("schedule", f"s-{x}") == Schedule(f"s-{x}", "Europe/Berlin", (night,), f"h-{x}")
    assert site.at_doors("group", f"g-{x}") == Group(f"g-{x}", (Grant(f"d-{x}", f"s-{x}"),))
    assert site.at_doors("door", f"d-{x}").mode is DoorMode.UNLOCKED  # type: ignore[union-attr]  # a door
    administrator.do("PUT", f"holidays/h-{x}", {"name": "Public", "dates": []})
    assert site.at_doors("holidays", f"h-{x}") == Holidays(f"h-{x}")
    administrator.do("DELETE", f"groups/g-{x}")
    assert ("group", f"g-{x}") not in site.listed()


def test_doors_refuse_a_person_who_was_deactivated_and_admit_them_again(
    site: DeployedSite, operator: Caller, ada: str, x: str
) -> None:
    """Whatever cards they hold, which stay as they are."""
    card = site.at_doors("card", card_id(x))
    operator.do("POST", f"people/{ada}/deactivate", {"note": "left"})
    assert site.at_doors("person", ada) == Person(ada, active=False)
    assert site.at_doors("card", card_id(x)) == card
    operator.do("POST", f"people/{ada}/activate")
    assert site.at_doors("person", ada) == Person(ada, active=True)


def test_what_no_door_needs_makes_no_version(site: DeployedSite, administrator: Caller, x: str) -> None:
    """Buildings, controllers and roles are none of their business."""
    version = site.version()
    request = administrator.do("PUT", f"buildings/b-{x}", {"name": "Annex"})
    administrator.do("POST", f"operators/staff-{x}/grants", {"role": "guard"})
    assert request["list"] is None
    assert site.version() == version
