"""Which role may ask for what."""

import pytest

from cloud.domain.payloads import RequestType
from cloud.domain.rules import permitted
from tests.rigs.entity_store import EntityStore


@pytest.mark.parametrize("role", ["viewer", "auditor", "root", ""])
def test_other_roles_may_change_nothing(role: str) -> None:
    """Nor may a role that is none."""
    assert not any(permitted(kind, [role]) for kind in RequestType)


def test_guard_may_report_cards_and_nothing_else() -> None:
    """Who is told of a lost card at night closes doors with it, and can open none."""
    assert {kind for kind in RequestType if permitted(kind, ["guard"])} == {
        RequestType.CARD_REPORT_LOST,
        RequestType.CARD_REPORT_STOLEN,
    }


def test_operator_may_change_people_cards_and_permissions_only() -> None:
    """Rights as such, places, devices and roles are the administrator's."""
    subjects = {kind.value.split(".")[0] for kind in RequestType if permitted(kind, ["viewer", "operator"])}
    assert subjects == {"card", "person", "people", "permission"}


def test_administrator_may_change_everything() -> None:
    """Also what a later release adds."""
    assert all(permitted(kind, ["administrator"]) for kind in RequestType)


def test_rules_refuse_before_they_read(site: EntityStore) -> None:
    """Whoever is not permitted learns nothing of what is there."""
    for payload in ({"building": "b", "name": "B"}, {"building": "new", "name": "N"}):
        envelope = site.envelope("building.put", payload, roles=["operator"])
        assert getattr(site.carry_out(envelope), "code", None) == "not_permitted"
