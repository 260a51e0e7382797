"""Puts items into the table that are not there yet, each for itself. Must never overwrite one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from cloud.adapters.aws import AwsError, aws_errors
from cloud.adapters.entities import key_attributes, to_attributes
from cloud.adapters.transactions import ENTITY_VERSION
from cloud.domain.keys import Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TRIES: Final = 6


class NewItems:
    """Items of the table that are not there yet."""

    def __init__(self, table: str, dynamodb: "DynamoDBClient") -> None:
        self._table = table
        self._dynamodb = dynamodb

    def put(self, key: Key, fields: Mapping[str, Any]) -> bool:
        """Put an item; False when something lies there already. Raises AwsError."""
        # Whoever has it in a transaction at this moment is done with that in some milliseconds.
        again = Retrying(
            retry=retry_if_exception(_is_in_a_transaction),
            stop=stop_after_attempt(_TRIES),
            wait=wait_random_exponential(multiplier=0.02, max=0.5),
            reraise=True,
        )
        return again(self._put, key, fields)

    def _put(self, key: Key, fields: Mapping[str, Any]) -> bool:
        item = {**to_attributes({**fields, "v": ENTITY_VERSION, "rev": 1}), **key_attributes(key)}
        try:
            with aws_errors():
                self._dynamodb.put_item(
                    TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)"
                )
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _is_in_a_transaction(error: BaseException) -> bool:
    return isinstance(error, AwsError) and error.code == "TransactionConflictException"
