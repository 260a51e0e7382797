"""What the consumer of the stream writes into the table. Must never overwrite what it has not read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from cloud.adapters.aws import AwsError, aws_errors
from cloud.adapters.entities import key_attributes, to_attributes
from cloud.adapters.transactions import OVERTAKEN, put_request
from cloud.domain import keys
from cloud.domain.keys import Key
from cloud.domain.outcome import Item, Put
from cloud.errors import Conflict

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH: Final = 25
"""Most items that one BatchWriteItem takes."""
_TRIES: Final = 8
"""A throttled batch comes back in parts; with these waits that is some 5 s, after which the stream tries again."""


class ConsumptionStore:
    """The table, for writing. Raises AwsError when it does not answer."""

    def __init__(self, table: str, dynamodb: "DynamoDBClient") -> None:
        self._table = table
        self._dynamodb = dynamodb

    def put_events(self, events: Mapping[Key, Mapping[str, Any]]) -> None:
        """Write up to 25 events, over themselves where they are there already."""
        requests: list[Any] = [
            {"PutRequest": {"Item": {**key_attributes(key), **to_attributes(fields)}}} for key, fields in events.items()
        ]
        self._write(requests)

    def put_absent(self, key: Key, fields: Mapping[str, Any]) -> None:
        """Write an event where nothing lies; raises Conflict when something does."""
        try:
            with aws_errors():
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item={**key_attributes(key), **to_attributes(fields)},
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except AwsError as error:
            if error.code in OVERTAKEN:
                raise Conflict(f"{key[1].partition('#')[0]}: somebody else wrote in between") from error
            raise

    def put_unchanged(self, key: Key, fields: Mapping[str, Any], before: Item | None) -> None:
        """Put an item in the place of the one that was read (None: there was none); raises Conflict if it changed."""
        try:
            with aws_errors():
                self._dynamodb.put_item(**put_request(self._table, Put(key, fields), before))
        except AwsError as error:
            if error.code in OVERTAKEN:
                raise Conflict(f"{key[1].partition('#')[0]}: somebody else wrote in between") from error
            raise

    def seen(self, device: str, at: str) -> None:
        """A registered device was heard of. Its `rev` stays: whoever changes it need not care, nor do we wait."""
        try:
            with aws_errors():
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=key_attributes(keys.device(device)),
                    UpdateExpression="SET last_seen = :at",
                    ConditionExpression="attribute_exists(pk)",
                    ExpressionAttributeValues={":at": {"S": at}},
                )
        except AwsError as error:
            if error.code not in OVERTAKEN:
                raise

    def _write(self, requests: list[Any]) -> None:
        left = requests

        def write() -> list[Any]:
            nonlocal left
            with aws_errors():
                answer = self._dynamodb.batch_write_item(RequestItems={self._table: left})
            left = list(answer["UnprocessedItems"].get(self._table, []))
            return left

        def give_up(_: RetryCallState) -> list[Any]:
            raise AwsError(f"{len(left)} of {len(requests)} events were not written", "UnprocessedItems")

        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.05, max=2),
            retry_error_callback=give_up,
        )(write)


def in_batches(events: Mapping[Key, Mapping[str, Any]]) -> list[dict[Key, Mapping[str, Any]]]:
    """The events in groups that fit into one request."""
    items = list(events.items())
    return [dict(items[start : start + _BATCH]) for start in range(0, len(items), _BATCH)]
