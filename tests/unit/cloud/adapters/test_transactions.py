"""What was decided, as writes with conditions."""

from typing import Any

import pytest

from cloud.adapters.transactions import MAX_WRITES, commit, transact_items
from cloud.domain.outcome import Count, Item, Put, Remove
from cloud.errors import CloudError, TooLarge

KEY, OTHER = ("A", "-"), ("B", "-")
UNCHANGED = {"ConditionExpression": "rev = :rev", "ExpressionAttributeValues": {":rev": {"N": "4"}}}


def item(key: tuple[str, str], **fields: Any) -> Item:
    return {"pk": key[0], "sk": key[1], "v": 1, "rev": 4, **fields}


def only(writes: list[Any], reads: dict[tuple[str, str], Item | None]) -> dict[str, Any]:
    (made,) = transact_items("t", writes, reads)
    return made


def test_put_replaces_what_was_read_and_nothing_else() -> None:
    """Only if it is unchanged; its revision goes up by one."""
    put = only([Put(KEY, {"name": "x"})], {KEY: item(KEY, name="y", gone=1)})["Put"]
    assert put["Item"] == {
        "pk": {"S": "A"}, "sk": {"S": "-"}, "name": {"S": "x"}, "v": {"N": "1"}, "rev": {"N": "5"},
    }  # fmt: skip
    assert {name: put[name] for name in UNCHANGED} == UNCHANGED


def test_put_where_nothing_was_makes_the_first_revision() -> None:
    """Only if there is still nothing."""
    put = only([Put(KEY, {})], {KEY: None})["Put"]
    assert (put["Item"]["rev"], put["ConditionExpression"]) == ({"N": "1"}, "attribute_not_exists(pk)")


def test_put_over_what_has_no_revision_needs_it_to_have_none_still() -> None:
    """An item that was put by hand is not written over blindly."""
    before = {"pk": "A", "sk": "-"}
    put = only([Put(KEY, {})], {KEY: before})["Put"]
    assert put["ConditionExpression"] == "attribute_exists(pk) AND attribute_not_exists(rev)"
    assert put["Item"]["rev"] == {"N": "1"}


@pytest.mark.parametrize(
    ("fields", "by", "uses"),
    [({}, 0, 3), ({}, 2, 5), ({"uses": 7}, 0, 7), ({"uses": 3}, -1, 2)],
)
def test_put_keeps_the_count_of_those_that_name_it(fields: dict[str, Any], by: int, uses: int) -> None:
    """Whether the rule knows of it, counts in the same step, or neither."""
    writes: list[Any] = [Put(KEY, fields), *([Count(KEY, by)] if by else [])]
    assert only(writes, {KEY: item(KEY, uses=3)})["Put"]["Item"]["uses"] == {"N": str(uses)}


def test_count_needs_only_that_it_is_there_and_raises_the_revision() -> None:
    """Two who count at once don't conflict; one who replaces the item meanwhile does. Several become one."""
    update = only([Count(KEY, 1), Count(KEY, 1)], {KEY: item(KEY)})["Update"]
    assert update["ConditionExpression"] == "attribute_exists(pk)"
    assert update["UpdateExpression"] == "ADD uses :by, rev :one"
    assert update["ExpressionAttributeValues"] == {":by": {"N": "2"}, ":one": {"N": "1"}}


def test_remove_needs_that_nothing_names_it() -> None:
    """And that it is as it was read."""
    delete = only([Remove(KEY)], {KEY: item(KEY, uses=0)})["Delete"]
    assert delete["ConditionExpression"] == "rev = :rev AND (attribute_not_exists(uses) OR uses = :none)"
    assert delete["ExpressionAttributeValues"] == {":rev": {"N": "4"}, ":none": {"N": "0"}}


def test_what_was_only_read_must_be_unchanged() -> None:
    """There or not there."""
    found = transact_items("t", [], {KEY: item(KEY), OTHER: None})
    assert [made["ConditionCheck"]["ConditionExpression"] for made in found] == [
        "rev = :rev",
        "attribute_not_exists(pk)",
    ]


@pytest.mark.parametrize(
    "writes",
    [
        [Put(KEY, {}), Put(KEY, {})],
        [Put(KEY, {}), Remove(KEY)],
        [Remove(KEY), Remove(KEY)],
        [Remove(KEY), Count(KEY, 1)],
        [Put(OTHER, {})],
        [Remove(OTHER)],
    ],
)
def test_faults_of_a_rule_are_found_before_anything_is_written(writes: list[Any]) -> None:
    """Twice the same, or what was never read: the service would take the second, and refuse the first in its words."""
    with pytest.raises(CloudError):
        transact_items("t", writes, {KEY: item(KEY)})


def test_fraction_is_not_stored() -> None:
    """A float would come back as another number."""
    with pytest.raises(CloudError, match="not to be stored"):
        transact_items("t", [Put(KEY, {"price": 0.1})], {KEY: None})


def test_more_than_a_transaction_takes_is_refused_without_a_call() -> None:
    """With a clear error; no client is even looked at."""
    nobody: Any = None
    with pytest.raises(TooLarge, match="101"):
        commit(nobody, [{}] * (MAX_WRITES + 1))
