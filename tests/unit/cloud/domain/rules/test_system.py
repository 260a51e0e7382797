"""The rules for controllers and for roles of the staff."""

import pytest

from cloud.contract.itemcodec import instant, instant_text
from cloud.domain.roles import Role, RoleGrant, roles_at
from cloud.domain.rules.entities import Device, StaffRole
from cloud.domain.rules.place_entities import Door
from tests.rigs.entity_store import ADMINISTRATOR, NOW_S, SITE, EntityStore

KEY, OTHER_KEY = "a" * 64, "b" * 64


def test_registered_device_is_found_with_its_keys_and_doors(site: EntityStore) -> None:
    """No door is told of it, and its doors can't go before it."""
    applied = site.must("device.register", {"device": "c1", "keys": [KEY], "doors": ["d1", "d1"]})
    assert applied.changes == ()
    expected = {"site": SITE, "keys": [KEY], "doors": ["d1"], "status": "registered", "g2pk": "DEVICES#hq"}
    assert site.item(Device, "c1").items() >= expected.items()
    assert site.item(Door, "d1")["uses"] == 2


def test_keys_of_a_device_rotate(site: EntityStore) -> None:
    """Registering again replaces keys and doors; the doors that it leaves are free."""
    site.must("device.register", {"device": "c1", "keys": [KEY], "doors": ["d1"]})
    site.must("device.register", {"device": "c1", "keys": [KEY, OTHER_KEY]})
    assert site.item(Device, "c1").items() >= {"keys": [KEY, OTHER_KEY], "doors": []}.items()
    assert site.item(Door, "d1")["uses"] == 1


def test_retired_device_is_believed_no_more(site: EntityStore) -> None:
    """No key of it is trusted from then on, until somebody registers it again."""
    site.must("device.register", {"device": "c1", "keys": [KEY], "doors": ["d1"]})
    site.must("device.retire", {"device": "c1"})
    assert site.item(Device, "c1").items() >= {"status": "retired", "keys": [], "doors": []}.items()
    assert site.item(Door, "d1")["uses"] == 1
    site.must("device.register", {"device": "c1", "keys": [OTHER_KEY]})
    assert site.item(Device, "c1")["status"] == "registered"


def test_what_is_known_of_a_stolen_controller_stays(site: EntityStore) -> None:
    """When it was last heard of is written beside these rules, and asked for when it is gone."""
    site.must("device.register", {"device": "c1", "keys": [KEY]})
    key = Device.key(SITE, "c1")
    site.items[key] = {**site.items[key], "last_seen": "2026-03-01T08:00:00.000Z"}
    site.must("device.retire", {"device": "c1"})
    assert site.item(Device, "c1")["last_seen"] == "2026-03-01T08:00:00.000Z"
    site.must("device.register", {"device": "c1", "keys": [OTHER_KEY]})
    assert site.item(Device, "c1")["last_seen"] == "2026-03-01T08:00:00.000Z"


def test_device_of_another_site_is_out_of_reach(site: EntityStore) -> None:
    """An administrator here can't take over a controller there, nor retire it."""
    site.must("device.register", {"device": "c1", "keys": [KEY]})
    site.items[Device.key(SITE, "c1")]["site"] = "elsewhere"
    assert site.refusal("device.register", {"device": "c1", "keys": [OTHER_KEY]}) == "device_elsewhere"
    assert site.refusal("device.retire", {"device": "c1"}) == "device_elsewhere"


def test_device_needs_doors_that_are_there(site: EntityStore) -> None:
    """And one that is not registered can't leave."""
    assert site.refusal("device.register", {"device": "c1", "keys": [KEY], "doors": ["x"]}) == "door_unknown"
    assert site.refusal("device.retire", {"device": "c1"}) == "device_unknown"


def granted(site: EntityStore, name: str) -> RoleGrant:
    item = site.item(StaffRole, name)
    until = item.get("valid_until")
    return RoleGrant(
        item["subject"], Role(item["role"]), item["site"], instant(item["valid_from"]), until and instant(until)
    )


def test_role_holds_from_its_grant_to_its_end(site: EntityStore) -> None:
    """What was asked while it held stays allowed after it ended; what was asked before it, never."""
    envelope = site.envelope("operator.grant", {"subject": "otto", "role": "operator"}, at_s=NOW_S + 100)
    site.carry_out(envelope)
    name = f"otto#{envelope.id}"
    assert site.item(StaffRole, name).items() >= {"g2pk": "OPERATORS#hq", "g2sk": name, "granted_by": "anna"}.items()
    site.must("operator.end", {"subject": "otto", "grant": envelope.id}, at_s=NOW_S + 200)
    grants = [granted(site, name)]
    held = [bool(roles_at(grants, ["operator"], SITE, NOW_S + at_s)) for at_s in (99, 100, 199, 200)]
    assert held == [False, True, True, False]


def test_role_is_never_granted_for_the_past(site: EntityStore) -> None:
    """Nobody makes good afterwards what was asked without the right to."""
    past = {"subject": "otto", "role": "operator", "valid_from": instant_text(NOW_S - 1000)}
    applied = site.must("operator.grant", past, at_s=NOW_S + 100)
    name = f"otto#{applied.summary['grant']}"
    assert site.item(StaffRole, name)["valid_from"] == instant_text(NOW_S + 100)
    over = {"subject": "otto", "role": "operator", "valid_until": instant_text(NOW_S + 100)}
    assert site.refusal("operator.grant", over, at_s=NOW_S + 100) == "role_over"


def test_ending_a_role_twice_keeps_the_first_end(site: EntityStore) -> None:
    """A later end would open again what was closed."""
    grant = site.must("operator.grant", {"subject": "otto", "role": "guard"}).summary["grant"]
    site.must("operator.end", {"subject": "otto", "grant": grant})
    assert site.must("operator.end", {"subject": "otto", "grant": grant}).writes == ()
    assert site.refusal("operator.end", {"subject": "otto", "grant": "none"}) == "grant_unknown"


@pytest.mark.parametrize(("role", "code"), [("administrator", "own_administrator_role"), ("guard", None)])
def test_nobody_ends_being_administrator_by_their_own_hand(site: EntityStore, role: str, code: str | None) -> None:
    """So a site that had an administrator always has one."""
    grant = site.must("operator.grant", {"subject": ADMINISTRATOR, "role": role}).summary["grant"]
    outcome = site.ask("operator.end", {"subject": ADMINISTRATOR, "grant": grant})
    assert getattr(outcome, "code", None) == code
    site.must("operator.end", {"subject": ADMINISTRATOR, "grant": grant}, subject="another")


def test_registration_that_was_asked_before_a_retirement_does_not_undo_it(site: EntityStore) -> None:
    """Delivered late, it must not make a stolen controller believed again; nor one asked at the same instant."""
    site.must("device.register", {"device": "c1", "keys": [KEY]})
    overtaken = site.envelope("device.register", {"device": "c1", "keys": [KEY], "doors": ["d1"]})
    at_once = site.envelope("device.register", {"device": "c1", "keys": [KEY]}, at_s=NOW_S + 100)
    site.must("device.retire", {"device": "c1"}, at_s=NOW_S + 100)
    for late in (overtaken, at_once):
        assert getattr(site.carry_out(late), "code", None) == "device_changed_since"
    assert site.item(Device, "c1").items() >= {"status": "retired", "keys": []}.items()
    site.must("device.register", {"device": "c1", "keys": [KEY]}, at_s=NOW_S + 101)


def test_registration_between_two_retirements_is_overtaken_by_the_second(site: EntityStore) -> None:
    """Who retires a controller once more knows nothing of a registration that is under way."""
    site.must("device.register", {"device": "c1", "keys": [KEY]})
    site.must("device.retire", {"device": "c1"})
    overtaken = site.envelope("device.register", {"device": "c1", "keys": [KEY]})
    site.must("device.retire", {"device": "c1"})
    assert getattr(site.carry_out(overtaken), "code", None) == "device_changed_since"


def test_late_request_about_a_device_does_not_undo_a_newer_registration(site: EntityStore) -> None:
    """Neither keys that were replaced come back, nor does a retirement that somebody took back."""
    site.must("device.register", {"device": "c1", "keys": [KEY]})
    old_key = site.envelope("device.register", {"device": "c1", "keys": [KEY]})
    retirement = site.envelope("device.retire", {"device": "c1"})
    site.must("device.register", {"device": "c1", "keys": [OTHER_KEY]})
    for late in (old_key, retirement):
        assert getattr(site.carry_out(late), "code", None) == "device_changed_since"
    assert site.item(Device, "c1").items() >= {"status": "registered", "keys": [OTHER_KEY]}.items()
