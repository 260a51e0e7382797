"""The rules of publishing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.allowlist import Change, Head
from cloud.contract.errors import ContractError, UnknownVersionError
from cloud.domain import lists

HEAD = Head("hq", 1_700_000_000, 10, 4, "k", "0" * 64, 2, "2026-01-01T00:00:00Z")


def card(number: int, **fields: object) -> dict[str, Any]:
    return {"v": 1, "kind": "card", "id": f"{number:032x}", "person": "p", **fields}


def person(name: str, **fields: object) -> dict[str, Any]:
    return {"v": 1, "kind": "person", "id": name, **fields}


LISTS = st.dictionaries(st.integers(0, 12), st.sampled_from(["active", "lost", "stolen", "revoked"]), max_size=10).map(
    lambda statuses: lists.index(card(number, status=status) for number, status in statuses.items())
)


@given(LISTS, LISTS)
def test_difference_leads_from_one_list_to_the_other(before: lists.Items, after: lists.Items) -> None:
    """Applying the difference gives exactly the other list, and equal lists differ in nothing."""
    changes = lists.difference(before, after)
    assert lists.applied(before, changes) == after
    assert (changes == ()) == (before == after)


@given(LISTS, LISTS)
def test_shrink_guard_counts_cards_that_are_gone(before: lists.Items, after: lists.Items) -> None:
    """More than one in five cards gone is too much; one whose status changed is not gone."""
    gone = len(before.keys() - after.keys())
    assert lists.cards_removed(before, after) == gone
    assert lists.shrinks_too_much(before, after) == (gone > len(before) / 5)


def test_shrink_guard_ignores_other_items() -> None:
    """People, groups and schedules may go in any number: the guard is about cards."""
    before = lists.index([person("p"), person("q"), card(1)])
    assert not lists.shrinks_too_much(before, lists.index([card(1)]))


def test_index_refuses_the_same_item_twice() -> None:
    """Two items of one kind and id would hide each other."""
    with pytest.raises(ContractError, match="person 'p' is there twice"):
        lists.index([person("p"), person("p", active=False)])


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (card(1, status="shiny"), ContractError),
        ({**card(1), "id": "04A1C3D2"}, ContractError),
        ({**card(1), "v": 2}, UnknownVersionError),
        ({**card(1), "kind": "lift"}, UnknownVersionError),
    ],
)
def test_index_refuses_what_no_door_could_read(document: Mapping[str, Any], error: type[ContractError]) -> None:
    """A malformed or unknown item is stopped at the publisher, not at the doors."""
    with pytest.raises(error):
        lists.index([document])


def test_applied_refuses_to_delete_what_is_not_there() -> None:
    """Deleting a card that is not listed is a mistake worth hearing of."""
    with pytest.raises(ContractError, match="not there to be deleted"):
        lists.applied({}, [Change("card", "0" * 32, None)])


def test_dangling_names_what_is_missing() -> None:
    """Every kind of reference to an item that is not there is told, each once."""
    items = lists.index(
        [
            card(1, person="nobody"),
            person("p", groups=["none", {"group": "gone", "until": "2026-01-01T00:00:00Z"}]),
            {"v": 1, "kind": "schedule", "id": "s2", "zone": "UTC", "windows": [], "holidays": "h"},
            {"v": 1, "kind": "group", "id": "g", "grants": [{"door": "d", "schedule": "s"}, {"door": "here"}]},
            {"v": 1, "kind": "door", "id": "here", "inside": "hq", "outside": None},
        ]
    )
    assert [problem.split(" names ")[1] for problem in lists.dangling(items)] == [
        "person 'nobody', which is not there",
        "area 'hq', which is not there",
        "door 'd', which is not there",
        "schedule 's', which is not there",
        "group 'none', which is not there",
        "group 'gone', which is not there",
        "holidays 'h', which is not there",
    ]


def test_next_epoch_is_higher_than_any_before() -> None:
    """It is the time, higher than before even when nothing of before is left; a clock gone back is no excuse."""
    assert lists.next_epoch(None, 1_800_000_000) == 1_800_000_000
    assert lists.next_epoch(HEAD, 1_800_000_000) == 1_800_000_000
    assert lists.next_epoch(HEAD, 5) == HEAD.epoch + 1


def test_snapshot_is_due_after_so_many_versions() -> None:
    """Exactly at the limit, not before."""
    assert not lists.snapshot_due(HEAD, 7)
    assert lists.snapshot_due(HEAD, 6)


def test_oldest_kept_never_goes_back() -> None:
    """It follows the head at a distance, and does not name deltas that were let go of before."""
    assert lists.oldest_kept(HEAD, 3) == 8
    assert lists.oldest_kept(HEAD, 100) == 2
    assert lists.oldest_kept(replace(HEAD, oldest_delta=11), 3) == 11


def test_rights_beyond_what_a_door_holds_are_not_published() -> None:
    """Cards and persons do not count: a door looks them up one by one."""
    grants = [{"door": f"door-{number}", "schedule": "days"} for number in range(10_000)]
    groups = [{"v": 1, "kind": "group", "id": f"g{number}", "grants": grants} for number in range(12)]
    lists.check_rights(lists.index([*groups[:8], *(card(number) for number in range(100))]))
    with pytest.raises(ContractError, match="fit"):
        lists.check_rights(lists.index(groups))
