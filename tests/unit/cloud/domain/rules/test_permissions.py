"""The rules for permissions."""

from cloud.contract.itemcodec import instant_text
from cloud.domain.rules.entities import Person
from cloud.domain.rules.permissions import MAX_PERMISSIONS
from cloud.domain.rules.place_entities import Group
from tests.rigs.entity_store import NOW_S, EntityStore

DAY_S = 86_400
TOMORROW, NEXT_WEEK = instant_text(NOW_S + DAY_S), instant_text(NOW_S + 7 * DAY_S)


def grant(site: EntityStore, **fields: object) -> str:
    permission: str = site.must("permission.grant", {"person": "p", "group": "staff", **fields}).summary["permission"]
    return permission


def uses(site: EntityStore) -> int:
    found: int = site.item(Group, "staff")["uses"]
    return found


def test_permission_is_named_by_its_request_and_counted(site: EntityStore) -> None:
    """So it can be ended by the id that its operator was given, and its group can't go before it."""
    envelope = site.envelope("permission.grant", {"person": "p", "group": "staff"})
    site.carry_out(envelope)
    assert site.item(Person, "p")["permissions"] == [
        {"permission": envelope.id, "group": "staff", "granted_by": envelope.operator.subject}
    ]
    assert uses(site) == 1
    assert site.listed["person", "p"]["groups"] == ["staff"]


def test_permission_with_bounds_is_listed_with_them(site: EntityStore) -> None:
    """The door itself sees it begin and end, whether or not the cloud is there."""
    grant(site, valid_from=TOMORROW, valid_until=NEXT_WEEK)
    grant(site, valid_from=NEXT_WEEK)
    assert site.listed["person", "p"]["groups"] == [
        {"group": "staff", "from": TOMORROW, "until": NEXT_WEEK},
        {"group": "staff", "from": NEXT_WEEK},
    ]
    assert uses(site) == 2


def test_permission_that_gives_nothing_new_is_refused(site: EntityStore) -> None:
    """Two of the same would leave one standing when the other is ended."""
    grant(site)
    assert site.refusal("permission.grant", {"person": "p", "group": "staff"}) == "permission_exists"
    bounded = {"person": "p", "group": "staff", "valid_until": TOMORROW}
    assert site.refusal("permission.grant", bounded) == "permission_exists"


def test_permission_needs_a_group_and_a_person_who_may_have_it(site: EntityStore) -> None:
    """Nothing is granted to nobody, for nothing, or for a time that is over."""
    assert site.refusal("permission.grant", {"person": "x", "group": "staff"}) == "person_unknown"
    assert site.refusal("permission.grant", {"person": "p", "group": "x"}) == "group_unknown"
    over = {"person": "p", "group": "staff", "valid_until": instant_text(NOW_S)}
    assert site.refusal("permission.grant", over) == "permission_over"
    site.must("person.deactivate", {"person": "p"})
    assert site.refusal("permission.grant", {"person": "p", "group": "staff"}) == "person_inactive"


def test_number_of_permissions_is_bounded(site: EntityStore) -> None:
    """A door walks over them at every tap, and the item that they lie in has a limit."""
    for number in range(MAX_PERMISSIONS):
        grant(site, valid_from=instant_text(NOW_S + (100 - number) * DAY_S))
    assert site.refusal("permission.grant", {"person": "p", "group": "staff"}) == "too_many_permissions"


def test_permissions_that_are_over_make_room(site: EntityStore) -> None:
    """What ended by itself does not hold its group, nor a place, beyond the next grant."""
    for number in range(MAX_PERMISSIONS):
        grant(site, valid_from=TOMORROW, valid_until=instant_text(NOW_S + (2 + number) * DAY_S))
    site.must("permission.grant", {"person": "p", "group": "staff"}, at_s=NOW_S + 100 * DAY_S)
    assert uses(site) == 1
    assert site.listed["person", "p"]["groups"] == ["staff"]


def test_ending_takes_a_permission_away_and_counts_it(site: EntityStore) -> None:
    """Now means now: the doors are told in the same transaction."""
    permission = grant(site)
    site.must("permission.end", {"person": "p", "permission": permission})
    assert site.item(Person, "p")["permissions"] == []
    assert uses(site) == 0
    assert site.listed["person", "p"]["groups"] == []
    assert site.refusal("permission.end", {"person": "p", "permission": permission}) == "permission_unknown"


def test_ending_later_only_ever_shortens(site: EntityStore) -> None:
    """Whoever ends a permission never makes it last longer than it would have."""
    permission = grant(site)
    site.must("permission.end", {"person": "p", "permission": permission, "at": TOMORROW})
    assert site.listed["person", "p"]["groups"] == [{"group": "staff", "until": TOMORROW}]
    later = site.must("permission.end", {"person": "p", "permission": permission, "at": NEXT_WEEK})
    assert (later.writes, later.changes) == ((), ())
    assert uses(site) == 1


def test_ending_before_it_begins_takes_it_away(site: EntityStore) -> None:
    """One that would never hold is none."""
    permission = grant(site, valid_from=NEXT_WEEK)
    site.must("permission.end", {"person": "p", "permission": permission, "at": TOMORROW})
    assert site.item(Person, "p")["permissions"] == []
    assert uses(site) == 0


def test_permissions_of_others_stay(site: EntityStore) -> None:
    """Ending one of several leaves the others as they were, in their order."""
    first = grant(site, valid_until=TOMORROW)
    grant(site, valid_until=NEXT_WEEK)
    site.must("permission.end", {"person": "p", "permission": first})
    assert site.listed["person", "p"]["groups"] == [{"group": "staff", "until": NEXT_WEEK}]
