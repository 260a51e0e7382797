"""The rules for places and times."""

from typing import Any

import pytest

from cloud.domain.envelope import Envelope
from cloud.domain.rules.place_entities import Area, Building, Door, Group, Holidays, Schedule
from cloud.domain.rules.places import MAX_CHANGED_REFERENCES
from tests.rigs.entity_store import NOW_S, SITE, EntityStore

MIDNIGHT = {"days": ["mon"], "start": "24:00", "end": "24:00"}


def uses(site: EntityStore) -> dict[str, int]:
    places = ((Building, "b"), (Area, "lobby"), (Area, "yard"), (Door, "d1"), (Schedule, "days"), (Holidays, "bank"))
    return {name: site.item(kind, name)["uses"] for kind, name in places}


def test_places_are_listed_as_the_doors_need_them(site: EntityStore) -> None:
    """Names are for people and buildings are for the cloud: neither reaches a door."""
    assert {name: item for name, item in site.listed.items() if name[0] != "person"} == {
        ("area", "lobby"): {"v": 1, "kind": "area", "id": "lobby", "anti_passback": "off"},
        ("area", "yard"): {"v": 1, "kind": "area", "id": "yard", "anti_passback": "off"},
        ("door", "d1"): {
            "v": 1, "kind": "door", "id": "d1", "mode": "normal", "inside": "lobby", "outside": "yard",
        },
        ("group", "staff"): {
            "v": 1, "kind": "group", "id": "staff", "grants": [{"door": "d1", "schedule": "days"}],
        },
        ("holidays", "bank"): {"v": 1, "kind": "holidays", "id": "bank", "dates": ["2027-12-25"]},
        ("schedule", "days"): {
            "v": 1, "kind": "schedule", "id": "days", "zone": "Europe/Berlin", "holidays": "bank",
            "windows": [{"days": ["mon"], "from": "08:00", "to": "18:00"}],
        },
    }  # fmt: skip


def test_a_new_name_is_no_news_for_the_doors(site: EntityStore) -> None:
    """It is written, and the list stays as it is."""
    renamed = site.must("area.put", {"area": "yard", "name": "Court"})
    assert (len(renamed.writes), renamed.changes) == (1, ())


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        ("area.put", {"area": "x", "name": "X", "building": "none"}, "building_unknown"),
        ("door.put", {"door": "x", "name": "X", "building": "none"}, "building_unknown"),
        ("door.put", {"door": "x", "name": "X", "inside": "none"}, "area_unknown"),
        ("door.put", {"door": "x", "name": "X", "outside": "none"}, "area_unknown"),
        ("group.put", {"group": "x", "name": "X", "grants": [{"door": "none"}]}, "door_unknown"),
        ("group.put", {"group": "x", "name": "X", "grants": [{"door": "d1", "schedule": "none"}]}, "schedule_unknown"),
        ("schedule.put", {"schedule": "x", "name": "X", "zone": "UTC", "holidays": "none"}, "holidays_unknown"),
        ("schedule.put", {"schedule": "x", "name": "X", "zone": "Mars/Olympus"}, "schedule_invalid"),
        ("schedule.put", {"schedule": "x", "name": "X", "zone": "localtime"}, "schedule_invalid"),
        (
            "schedule.put",
            {"schedule": "x", "name": "X", "zone": "UTC", "windows": [MIDNIGHT]},
            "schedule_invalid",
        ),
        ("holidays.put", {"holidays": "x", "name": "X", "dates": ["2027-02-30"]}, "date_invalid"),
        ("building.remove", {"id": "x"}, "building_unknown"),
    ],
)  # fmt: skip
def test_put_refuses_what_would_silently_be_no_right(
    site: EntityStore, kind: str, payload: dict[str, Any], code: str
) -> None:
    """A name of something that is not there, or a time that no door can read, opens nothing and nobody would notice."""
    assert site.refusal(kind, payload) == code


def test_uses_count_what_names_a_place(site: EntityStore) -> None:
    """Each area, door, group and schedule counts once for each thing that it names."""
    assert uses(site) == {"b": 2, "lobby": 1, "yard": 1, "d1": 1, "days": 1, "bank": 1}
    site.must("door.put", {"door": "d1", "name": "Front", "inside": "lobby", "outside": "lobby"})
    site.must("group.put", {"group": "staff", "name": "Staff", "grants": [{"door": "d1"}, {"door": "d1"}]})
    assert uses(site) == {"b": 1, "lobby": 1, "yard": 0, "d1": 1, "days": 0, "bank": 1}


def test_put_keeps_the_count_of_what_names_it(site: EntityStore) -> None:
    """A changed place is still named by as many."""
    site.must("building.put", {"building": "b", "name": "New"})
    assert site.item(Building, "b").items() >= {"name": "New", "uses": 2}.items()


def test_grant_that_is_there_twice_is_one(site: EntityStore) -> None:
    """Doors of one group are told apart by schedule too."""
    twice = [{"door": "d1"}, {"door": "d1", "schedule": "days"}, {"door": "d1"}]
    site.must("group.put", {"group": "staff", "name": "Staff", "grants": twice})
    assert site.listed["group", "staff"]["grants"] == [
        {"door": "d1", "schedule": None},
        {"door": "d1", "schedule": "days"},
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("building", "b"),
        ("area", "lobby"),
        ("area", "yard"),
        ("door", "d1"),
        ("schedule", "days"),
        ("holidays", "bank"),
    ],
)
def test_place_that_is_named_stays(site: EntityStore, kind: str, name: str) -> None:
    """Rights, doors and areas never name what is gone."""
    assert site.refusal(f"{kind}.remove", {"id": name}) == "place_in_use"


def test_group_of_somebody_stays(site: EntityStore) -> None:
    """A person's group goes after the person's permission."""
    granted = site.must("permission.grant", {"person": "p", "group": "staff"})
    assert site.refusal("group.remove", {"id": "staff"}) == "place_in_use"
    site.must("permission.end", {"person": "p", "permission": granted.summary["permission"]})
    site.must("group.remove", {"id": "staff"})


def test_everything_can_go_in_its_order(site: EntityStore) -> None:
    """What goes frees what it named, and leaves the doors' list."""
    order = (
        (Group, "staff"), (Schedule, "days"), (Holidays, "bank"), (Door, "d1"), (Area, "lobby"), (Area, "yard"),
        (Building, "b"),
    )  # fmt: skip
    for kind, name in order:
        site.must(f"{kind.NAME}.remove", {"id": name})
    assert [name for name in site.listed if name[0] != "person"] == []


def test_group_of_many_doors_grows_in_steps(store: EntityStore) -> None:
    """More doors than one transaction takes are refused at once, by a bound that the operator is told."""
    names = [f"d{number}" for number in range(MAX_CHANGED_REFERENCES + 1)]
    for name in names:
        store.must("door.put", {"door": name, "name": name})
    grants = [{"door": name} for name in names]
    assert store.refusal("group.put", {"group": "g", "name": "G", "grants": grants}) == "too_many_references"
    store.must("group.put", {"group": "g", "name": "G", "grants": grants[:-1]})
    store.must("group.put", {"group": "g", "name": "G", "grants": grants})
    assert len(store.listed["group", "g"]["grants"]) == len(names)
    assert store.refusal("group.put", {"group": "g", "name": "G"}) == "too_many_references"


def late(site: EntityStore, envelope: Envelope) -> str | None:
    return getattr(site.carry_out(envelope), "code", None)


@pytest.mark.parametrize("mode", ["normal", "unlocked"])
def test_door_put_that_was_asked_before_a_lockdown_does_not_undo_it(site: EntityStore, mode: str) -> None:
    """Delivered late, it opens nothing; it must not even if the lockdown was asked for twice."""
    door, lockdown = {"door": "d1", "name": "Front"}, {"door": "d1", "name": "Front", "mode": "lockdown"}
    first = site.envelope("door.put", {**door, "mode": mode})
    site.must("door.put", lockdown)
    second = site.envelope("door.put", {**door, "mode": mode})
    site.must("door.put", lockdown)
    assert [late(site, first), late(site, second)] == ["door_changed_since"] * 2
    assert site.listed["door", "d1"]["mode"] == "lockdown"


def test_group_put_that_was_asked_before_another_gives_no_door_back(site: EntityStore) -> None:
    """Nor does the removal of a group that somebody put again."""
    overtaken = site.envelope("group.put", {"group": "staff", "name": "Staff", "grants": [{"door": "d1"}]})
    removal = site.envelope("group.remove", {"id": "staff"})
    site.must("group.put", {"group": "staff", "name": "Staff"})
    assert [late(site, overtaken), late(site, removal)] == ["group_changed_since"] * 2
    assert site.listed["group", "staff"]["grants"] == []


def test_put_that_was_asked_before_a_removal_brings_nothing_back(site: EntityStore) -> None:
    """What is gone stays gone, until somebody asks for it anew."""
    site.must("door.put", {"door": "d2", "name": "Back"})
    overtaken = site.envelope("door.put", {"door": "d2", "name": "Back", "mode": "unlocked"})
    site.must("door.remove", {"id": "d2"})
    assert late(site, overtaken) == "door_changed_since"
    assert ("door", "d2") not in site.listed
    for _ in range(2):
        site.must("door.put", {"door": "d2", "name": "Back"})
        site.must("door.remove", {"id": "d2"})


def test_puts_of_the_same_instant_overwrite_each_other(site: EntityStore) -> None:
    """Neither is the older one: the one that is carried out last counts."""
    for mode in ("lockdown", "normal", "lockdown"):
        site.must("door.put", {"door": "d1", "name": "Front", "mode": mode}, at_s=NOW_S + 100)
        assert site.listed["door", "d1"]["mode"] == mode


def test_place_from_before_instants_were_kept_is_older_than_any_request(site: EntityStore) -> None:
    """What an earlier release wrote can be changed and removed."""
    del site.items[Group.key(SITE, "staff")]["changed_at"]
    site.must("group.put", {"group": "staff", "name": "All"}, at_s=0)
    del site.items[Group.key(SITE, "staff")]["changed_at"]
    site.must("group.remove", {"id": "staff"}, at_s=0)
