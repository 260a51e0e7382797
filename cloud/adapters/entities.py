"""Reads what lies in the table, as plain JSON values. Must never write, and never hold a rule.

Whole numbers come back as `int`: nothing of ours is stored as a fraction, and a float is refused on the way in.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from cloud.adapters.aws import AwsError, aws_errors
from cloud.domain.keys import LISTING_INDEX, OWNER_INDEX, Key
from cloud.domain.outcome import Item
from cloud.errors import CloudError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_BATCH: Final = 100
"""Keys that one BatchGetItem takes."""
_BATCH_TRIES: Final = 6
"""A batch that is above 16 MB, or throttled, comes in parts: each try asks for the rest."""
_PARTITION_OF: Final[Mapping[str | None, tuple[str, str]]] = {
    None: ("pk", "sk"),
    OWNER_INDEX: ("g1pk", "g1sk"),
    LISTING_INDEX: ("g2pk", "g2sk"),
}
_serializer: Final = TypeSerializer()
_deserializer: Final = TypeDeserializer()


def to_attributes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as the attributes of an item; raises CloudError for a kind of value that has no place there."""
    try:
        return {name: _serializer.serialize(value) for name, value in fields.items()}
    except TypeError as error:
        raise CloudError(f"not to be stored in the table: {error}") from error


def from_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `to_attributes`; raises CloudError for a fraction, which nothing of ours is."""
    return {name: _plain(_deserializer.deserialize(value)) for name, value in attributes.items()}


def key_attributes(key: Key) -> dict[str, Any]:
    """A key as the service wants it."""
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


class EntityStore:
    """The table. Raises AwsError when it does not answer; no error is ever taken for an item that is not there."""

    def __init__(self, table: str, dynamodb: "DynamoDBClient") -> None:
        self._table = table
        self._dynamodb = dynamodb

    def get(self, key: Key) -> Item | None:
        """The item at a key as it is now (strongly consistent); None when there is none."""
        with aws_errors():
            answer = self._dynamodb.get_item(TableName=self._table, Key=key_attributes(key), ConsistentRead=True)
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item | None]:
        """As `get`, for any number of keys; each as it was at some moment of the call."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Item | None] = dict.fromkeys(wanted)
        for start in range(0, len(wanted), MAX_BATCH):
            for item in self._batch(wanted[start : start + MAX_BATCH]):
                found[item["pk"], item["sk"]] = item
        return found

    def query(
        self,
        index: str | None,
        partition: str,
        *,
        prefix: str | None = None,
        between: tuple[str, str] | None = None,
        start: Mapping[str, str] | None = None,
        limit: int | None = None,
        forward: bool = True,
    ) -> tuple[list[Item], Mapping[str, str] | None]:
        """One page of a partition, in the order of its sort key, and where the next one starts (None: it was the last).

        Args:
            index: One of the indexes, which lag behind; None reads the table itself, strongly consistent.
            partition: The partition's key.
            prefix: Only sort keys that begin with this.
            between: Only sort keys from the first to the second, both included; not together with `prefix`.
            start: What an earlier page of the same query gave.
            limit: Most items of a page; None: as many as the service gives at once (1 MB).
            forward: False: from the highest sort key down.
        """
        partition_name, sort_name = _PARTITION_OF[index]
        condition, values = f"{partition_name} = :p", {":p": {"S": partition}}
        if prefix:
            condition += f" AND begins_with({sort_name}, :a)"
            values[":a"] = {"S": prefix}
        elif between is not None:
            condition += f" AND {sort_name} BETWEEN :a AND :b"
            values |= {":a": {"S": between[0]}, ":b": {"S": between[1]}}
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": forward,
        }
        request |= {"ConsistentRead": True} if index is None else {"IndexName": index}
        request |= {"Limit": limit} if limit is not None else {}
        request |= {"ExclusiveStartKey": to_attributes(start)} if start is not None else {}
        with aws_errors():
            answer = self._dynamodb.query(**request)
        last = answer.get("LastEvaluatedKey")
        return [from_attributes(item) for item in answer["Items"]], from_attributes(last) if last else None

    def query_all(self, index: str | None, partition: str, *, prefix: str | None = None) -> list[Item]:
        """All pages of `query` at once: only for what is known to be few."""
        items, start = self.query(index, partition, prefix=prefix)
        while start is not None:
            more, start = self.query(index, partition, prefix=prefix, start=start)
            items += more
        return items

    def query_last(self, partition: str, prefix: str, at_most: int) -> list[Item]:
        """The highest of what begins with the prefix in the table itself, highest first."""
        items, start = self.query(None, partition, prefix=prefix, limit=at_most, forward=False)
        while start is not None and len(items) < at_most:
            limit = at_most - len(items)
            more, start = self.query(None, partition, prefix=prefix, start=start, limit=limit, forward=False)
            items += more
        return items

    def count(self, index: str | None, partition: str) -> int:
        """How many items a partition holds; the service reads all of them for it."""
        with aws_errors():
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression=f"{_PARTITION_OF[index][0]} = :p",
                ExpressionAttributeValues={":p": {"S": partition}},
                Select="COUNT",
                **({"ConsistentRead": True} if index is None else {"IndexName": index}),
            )
            return sum(page["Count"] for page in pages)

    def _batch(self, keys: Sequence[Key]) -> list[Item]:
        items: list[Item] = []
        left: list[Any] = [key_attributes(key) for key in keys]

        def ask() -> list[Any]:
            nonlocal left
            with aws_errors():
                answer = self._dynamodb.batch_get_item(
                    RequestItems={self._table: {"Keys": left, "ConsistentRead": True}}
                )
            items.extend(from_attributes(item) for item in answer["Responses"].get(self._table, []))
            rest = answer["UnprocessedKeys"].get(self._table)
            left = list(rest["Keys"]) if rest else []
            return left

        if _asked_again(ask):
            raise AwsError(f"{len(left)} of {len(keys)} items were not read", "UnprocessedKeys")
        return items


def _asked_again(ask: Any) -> Any:
    """Ask until nothing is left; the last answer when that never came."""
    return Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_attempt(_BATCH_TRIES),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )(ask)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        if value != value.to_integral_value():
            raise CloudError("the table holds a fraction, which nothing of ours is")
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value
