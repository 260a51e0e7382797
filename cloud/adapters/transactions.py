"""What was decided, as the writes of one DynamoDB transaction: all of it happens, on what was read, or nothing does.

Every write raises the item's `rev`, and every condition compares it. So whatever a decision rested on is unchanged at
the moment when it takes effect, or somebody gets Conflict and decides anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cloud.adapters.aws import AwsError, aws_errors
from cloud.adapters.entities import key_attributes, to_attributes
from cloud.domain.keys import Key
from cloud.domain.outcome import Count, Item, Put, Write
from cloud.errors import CloudError, Conflict, TooLarge

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_WRITES: Final = 100
"""Of one transaction, checks included."""
ENTITY_VERSION: Final = 1
OVERTAKEN: Final = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})
"""What a write of one item is told when the item has changed, or is in somebody's transaction at this moment."""
_LOST: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


def transact_items(table: str, writes: Iterable[Write], reads: Mapping[Key, Item | None]) -> list[dict[str, Any]]:
    """The writes, and checks of what was read and is not written.

    What is only counted is not checked: it must be there, that is all, and checking it would set everybody who is
    given the same group against each other. Raises CloudError when the same thing is to be written twice over, or
    something was never read: a fault in a rule.
    """
    puts: dict[Key, Put] = {}
    removed: set[Key] = set()
    counts: dict[Key, int] = {}
    for write in writes:
        if isinstance(write, Count):
            counts[write.key] = counts.get(write.key, 0) + write.by
            continue
        if write.key in puts or write.key in removed:
            raise CloudError(f"{write.key} is to be written twice in one transaction")
        if write.key not in reads:
            raise CloudError(f"{write.key} is to be written and was not read")
        if isinstance(write, Put):
            puts[write.key] = write
        else:
            removed.add(write.key)
    if removed & counts.keys():
        raise CloudError(f"{min(removed & counts.keys())} is to be removed and counted in one transaction")
    return [
        *({"Put": put_request(table, put, reads[key], counts.get(key, 0))} for key, put in puts.items()),
        *({"Delete": _remove(table, key, reads[key])} for key in sorted(removed)),
        *({"Update": _count(table, key, by)} for key, by in counts.items() if key not in puts),
        *(
            {"ConditionCheck": {"TableName": table, "Key": key_attributes(key), **_unchanged(item)}}
            for key, item in reads.items()
            if key not in puts and key not in removed and key not in counts
        ),
    ]


def commit(dynamodb: "DynamoDBClient", items: Sequence[Any]) -> None:
    """Write all of them or none; raises Conflict when a condition does not hold, TooLarge, AwsError."""
    if len(items) > MAX_WRITES:
        raise TooLarge(f"{len(items)} writes and checks, {MAX_WRITES} fit into one transaction")
    try:
        with aws_errors():
            # boto3 adds a token, so that its retry of a lost answer does not conflict with itself.
            dynamodb.transact_write_items(TransactItems=items)
    except AwsError as error:
        if error.code == "TransactionCanceledException" and _LOST.intersection(error.reasons):
            raise Conflict("somebody else wrote in between") from error
        raise


def put_request(table: str, put: Put, before: Item | None, counted: int = 0) -> dict[str, Any]:
    """The request that puts an item in the place of `before`, only if that is still there; fit for PutItem too."""
    document = {**put.fields, "v": ENTITY_VERSION, "rev": _rev(before) + 1}
    if before is not None and "uses" in before:
        # Who changes the item need not know that others name it.
        document.setdefault("uses", before["uses"])
    if counted:
        document["uses"] = document.get("uses", 0) + counted
    return {"TableName": table, "Item": {**key_attributes(put.key), **to_attributes(document)}, **_unchanged(before)}


def _remove(table: str, key: Key, before: Item | None) -> dict[str, Any]:
    condition = _unchanged(before)
    condition["ConditionExpression"] += " AND (attribute_not_exists(uses) OR uses = :none)"
    condition.setdefault("ExpressionAttributeValues", {})[":none"] = {"N": "0"}
    return {"TableName": table, "Key": key_attributes(key), **condition}


def _count(table: str, key: Key, by: int) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": key_attributes(key),
        # The revision too: who replaces the whole item must not undo a count that came in between.
        "UpdateExpression": "ADD uses :by, rev :one",
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeValues": {":by": {"N": str(by)}, ":one": {"N": "1"}},
    }


def _unchanged(before: Item | None) -> dict[str, Any]:
    """The condition that an item is as it was read."""
    if before is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    if "rev" not in before:
        # Put there by hand, or by an earlier release: it has no revision until it is written once.
        return {"ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(rev)"}
    return {
        "ConditionExpression": "rev = :rev",
        "ExpressionAttributeValues": {":rev": {"N": str(before["rev"])}},
    }


def _rev(before: Item | None) -> int:
    return 0 if before is None else int(before.get("rev", 0))
